import { setTimeout as sleep } from 'node:timers/promises';
import type { Writable } from 'node:stream';
import type { Options } from 'execa';

export interface LocalProcessOptions {
  /** Written to standard input, now or later; `'open'` leaves it open, for the caller to end; empty when absent. */
  readonly stdin?: string | Uint8Array | Promise<string> | 'open' | undefined;
  readonly onStdout: (chunk: Buffer) => void;
  readonly onStderr: (chunk: Buffer) => void;
}

/** A process on this machine, at the head of its own session and process group. */
export interface LocalProcess {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined;
  readonly stdin: Writable | undefined;
  /**
   * Resolves when the process has ended and everybody has closed its output: the exit code, 128 + N after signal N,
   * 127 when there is no such program, 126 when it cannot be executed. Never rejects.
   */
  readonly ended: Promise<number>;
  /** Ends the whole group: SIGTERM, then SIGKILL after `graceMs` milliseconds. */
  endGroup(graceMs?: number): Promise<void>;
}

/** Milliseconds between SIGTERM and SIGKILL. */
export const defaultGraceMs = 2000;

/**
 * Starts a program without a shell, with messages in English (LC_ALL=C). `detached` is setsid(2): a ^C in the terminal
 * does not reach it, and the group can be ended as a whole, which execa's own time limit does not do.
 */
export async function startLocalProcess(
  argv: readonly string[],
  options: LocalProcessOptions,
): Promise<LocalProcess> {
  // Loaded late: it takes longer to load than everything else that `criu-flow validate` needs.
  const [{ execa }, { constants }] = await Promise.all([import('execa'), import('node:os')]);
  const [program = '', ...rest] = argv;
  const { stdin } = options;
  const child = execa(program, rest, {
    ...inputOption(stdin),
    detached: true,
    reject: false,
    // The callbacks collect: execa's own limit ends the command, and builds an error message as long as the output.
    buffer: false,
    encoding: 'buffer',
    env: { LC_ALL: 'C' },
  });
  if (stdin instanceof Promise) void writeLater(child.stdin, stdin);
  child.stdout?.on('data', options.onStdout);
  child.stderr?.on('data', options.onStderr);
  const ended = (async (): Promise<number> => {
    const result = await child;
    if (result.exitCode !== undefined) return result.exitCode;
    if (result.signal !== undefined) return 128 + constants.signals[result.signal];
    const missing = result.code === 'ENOENT' || result.code === 'ENOTDIR';
    const why = missing ? 'not found' : (result.code ?? 'cannot be executed');
    options.onStderr(Buffer.from(`criu-flow: ${program}: ${why}\n`));
    return missing ? 127 : 126;
  })();
  const endGroup = async (graceMs = defaultGraceMs): Promise<void> => {
    const { pid } = child;
    if (pid === undefined) return;
    signalGroup(pid, 'SIGTERM');
    const deadline = Date.now() + graceMs;
    while (Date.now() < deadline && (await groupLives(pid))) await sleep(20);
    signalGroup(pid, 'SIGKILL');
    // A descendant that left the group can still hold the output open: it is not ours to end, nor to wait for.
    await Promise.race([ended, sleep(200)]);
    child.stdout?.destroy();
    child.stderr?.destroy();
  };
  return {
    pid: child.pid,
    stdin: stdin === 'open' ? (child.stdin ?? undefined) : undefined,
    ended,
    endGroup,
  };
}

function inputOption(stdin: LocalProcessOptions['stdin']): Pick<Options, 'stdin' | 'input'> {
  if (stdin === undefined) return { stdin: 'ignore' };
  return stdin === 'open' || stdin instanceof Promise ? { stdin: 'pipe' } : { input: stdin };
}

/** A command that has ended closes the pipe under us: its exit code tells, not the write. */
async function writeLater(stream: Writable | null, text: Promise<string>): Promise<void> {
  stream?.on('error', () => undefined);
  stream?.end(await text);
}

/**
 * Whether a member of the group still runs. Zombies do not count: kill(2) reaches them too, and a container's process 1
 * can take seconds to reap the orphans.
 */
async function groupLives(leader: number): Promise<boolean> {
  if (!signalGroup(leader, 0)) return false;
  const { readdir, readFile } = await import('node:fs/promises');
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lives = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      // Fields 3 (state) and 5 (group), counted after the name, which may hold spaces and parentheses.
      const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(group) === leader && state !== 'Z' && state !== 'X';
    }),
  );
  return lives.includes(true);
}

/** @returns whether the group exists */
function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-leader, signal);
  } catch {
    return false;
  }
}
