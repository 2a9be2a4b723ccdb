import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** A live process of one test, the leader of a session; `await using` ends it and its descendants. */
export interface StartedProgram extends AsyncDisposable {
  readonly pid: number;
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Ends it now, and waits until it is gone. */
  readonly kill: () => Promise<void>;
}

/**
 * Starts a program whose standard input stays open, sends it one line, and waits until it says something: then it is
 * ready.
 */
export async function startProgram(program: string, ...args: readonly string[]): Promise<StartedProgram> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  const ended = once(child, 'close');
  child.stdin.write('ready\n');
  await once(child.stdout, 'data');
  const pid = child.pid ?? 0;
  const kill = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-pid, 'SIGKILL');
    await ended;
  };
  return {
    pid,
    signal: (signal) => child.kill(signal),
    kill,
    [Symbol.asyncDispose]: kill,
  };
}
