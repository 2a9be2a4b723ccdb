import { FlowError } from '../errors/flow-error.ts';
import type { CommandResult, Host } from './host.ts';
import { defaultGraceMs } from './local-process.ts';
import { assertArguments } from './quote.ts';
import {
  becomeScript,
  directoryInUse,
  killScript,
  startScript,
  stateScript,
  superviseScript,
  waitScript,
} from './remote-process-scripts.ts';
import { commandFailed, runScript } from './shell.ts';

export interface ProcessRequest {
  /**
   * Absolute, on that host, for this one process: made with mode 0700 (its parents too), and refused when a process
   * was started in it before. `stdout` and `stderr` in it are what the process writes.
   */
  readonly directory: string;
  readonly argv: readonly string[];
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
}

export type ProcessState =
  /** Nothing was started in that directory. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'running'; readonly pid: number | undefined }
  /** 128 + N when signal N ended it; 127 when there is no such program. */
  | { readonly kind: 'exited'; readonly exitCode: number }
  /**
   * The supervisor was killed, so nobody knows the exit code. `pid` is set while the process itself still runs; after
   * a reboot of the host it is not.
   */
  | { readonly kind: 'lost'; readonly pid: number | undefined };

export interface WaitOptions {
  /** Milliseconds after which TIMEOUT is thrown; the process runs on. @default Infinity */
  readonly timeoutMs?: number;
  /** Ends the waiting, not the process. */
  readonly signal?: AbortSignal;
}

/**
 * Starts a program that outlives the connection to its host: in a session of its own, its input empty, its output in
 * files, its working directory `/`, every file descriptor from 3 to 9 closed. A supervisor on the host, in another
 * session, writes down how it ends, however that is. Returns once the process exists; a missing program is exit
 * code 127, seen by {@link waitProcess}.
 *
 * After a HOST_UNREACHABLE ask {@link processState} whether it was started: it is never started twice in a directory.
 * @throws FlowError INPUT_INVALID; COMMAND_FAILED when it could not be started; what Host.run throws
 */
export async function startProcess(host: Host, request: ProcessRequest): Promise<{ readonly pid: number }> {
  const { directory, argv, env = {} } = request;
  assertDirectory(directory);
  assertArguments(argv);
  const assignments = Object.entries(env).map(([name, value]) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw new FlowError('INPUT_INVALID', `${JSON.stringify(name)} is no name of an environment variable.`);
    }
    return `${name}=${value}`;
  });
  const args = [directory, superviseScript, becomeScript, ...assignments, '--', ...argv];
  const result = await runScript(host, startScript, args);
  if (result.exitCode === directoryInUse) {
    throw new FlowError('COMMAND_FAILED', `A process was started in ${directory} on ${host.name} before.`, {
      host: host.name,
    });
  }
  const pid = Number(result.stdout.trim());
  if (result.exitCode !== 0 || !Number.isInteger(pid) || pid <= 0) {
    throw commandFailed(host, `Starting "${argv[0] ?? ''}"`, result);
  }
  return { pid };
}

/**
 * Waits, without polling, until the process has ended. Safe to call again after the connection was lost.
 * @throws FlowError COMMAND_FAILED when nobody knows how it ended, or nothing was started there; TIMEOUT, INTERRUPTED
 *   (the process runs on); what Host.run throws
 */
export async function waitProcess(
  host: Host,
  directory: string,
  options: WaitOptions = {},
): Promise<{ readonly exitCode: number }> {
  assertDirectory(directory);
  const { timeoutMs = Number.POSITIVE_INFINITY, signal } = options;
  const what = `Waiting for the process of ${directory}`;
  const result = await runScript(host, waitScript, [directory], {
    timeoutMs,
    ...(signal === undefined ? {} : { signal }),
  });
  const state = parseState(host, what, result);
  if (state.kind === 'exited') return { exitCode: state.exitCode };
  const why = {
    absent: 'nothing was started there',
    lost: 'its supervisor was killed, so its exit code is not known',
    running: 'its lock was released while it runs',
  }[state.kind];
  throw new FlowError('COMMAND_FAILED', `${what} on ${host.name} failed: ${why}.`, { host: host.name });
}

/** Looks at the process, at once. @throws FlowError COMMAND_FAILED; what Host.run throws */
export async function processState(host: Host, directory: string): Promise<ProcessState> {
  assertDirectory(directory);
  const what = `Looking at the process of ${directory}`;
  return parseState(host, what, await runScript(host, stateScript, [directory]));
}

export interface KillOptions {
  /** Milliseconds between SIGTERM and SIGKILL; 0 for SIGKILL at once. @default 2000 */
  readonly graceMs?: number;
}

/**
 * Ends the process and its group, and returns the state afterwards. A process that has the recorded id but another
 * start time, or another boot of the host, is somebody else's and left alone.
 * @throws FlowError COMMAND_FAILED; what Host.run throws
 */
export async function killProcess(
  host: Host,
  directory: string,
  options: KillOptions = {},
): Promise<ProcessState> {
  assertDirectory(directory);
  const { graceMs = defaultGraceMs } = options;
  const tenths = String(Math.ceil(graceMs / 100));
  const result = await runScript(host, killScript, [directory, tenths], { timeoutMs: graceMs + 15_000 });
  return parseState(host, `Ending the process of ${directory}`, result);
}

function assertDirectory(directory: string): void {
  if (!/^\/.*[^/]$/su.test(directory) || directory.includes('\0')) {
    throw new FlowError(
      'INPUT_INVALID',
      `${JSON.stringify(directory)} is not an absolute path of a directory.`,
    );
  }
}

function parseState(host: Host, what: string, result: CommandResult): ProcessState {
  const [kind, value] = result.stdout.trim().split(' ');
  const number = value === undefined || value === '' ? undefined : Number(value);
  if (result.exitCode === 0) {
    if (kind === 'absent') return { kind };
    if (kind === 'running' || kind === 'lost') return { kind, pid: number };
    if (kind === 'exited' && number !== undefined) return { kind, exitCode: number };
  }
  throw commandFailed(host, what, result);
}
