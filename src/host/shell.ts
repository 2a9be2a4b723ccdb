import { FlowError } from '../errors/flow-error.ts';
import { outputLimitBytes } from './collect.ts';
import type { CommandResult, Host, RunOptions } from './host.ts';

/**
 * Runs a fixed POSIX sh script on the host. Values go into `args`, where the script finds them as `$1`, `$2`, …; they
 * never become part of the script's text, so no value can be read as a command.
 */
export function runScript(
  host: Host,
  script: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<CommandResult> {
  return host.run(['sh', '-c', script, 'criu-flow', ...args], options);
}

export interface MustRunOptions extends RunOptions {
  /** What the script does, to begin the error message with: "Reading the mounts of process 4711". */
  readonly what: string;
  /** Exit codes besides 0 that the caller handles. */
  readonly allow?: readonly number[];
}

/**
 * {@link runScript} for a script whose failure nobody expects.
 * @throws FlowError COMMAND_FAILED when it exits with another code than 0 or those allowed, or when its output is longer
 *   than a result can hold, besides what Host.run throws
 */
export async function mustRunScript(
  host: Host,
  script: string,
  args: readonly string[],
  options: MustRunOptions,
): Promise<CommandResult> {
  const { what, allow = [], ...runOptions } = options;
  const result = await runScript(host, script, args, runOptions);
  if (result.exitCode !== 0 && !allow.includes(result.exitCode)) throw commandFailed(host, what, result);
  // Half an answer looks like a whole one: a file that was not listed would not be missed.
  if (Buffer.byteLength(result.stdout) >= outputLimitBytes) {
    throw new FlowError('COMMAND_FAILED', `${what} on ${host.name} gave more than 1 MiB of output.`, {
      host: host.name,
    });
  }
  return result;
}

/** The error of a command that ended with an exit code that it should not have. */
export function commandFailed(host: Host, what: string, result: CommandResult): FlowError {
  const evidence = lastLine(result.stderr);
  return new FlowError(
    'COMMAND_FAILED',
    `${what} failed on ${host.name} with exit code ${result.exitCode}.`,
    {
      host: host.name,
      ...(evidence === '' ? {} : { evidence }),
    },
  );
}

function lastLine(text: string): string {
  return (
    text
      .trimEnd()
      .split(/[\r\n]+/)
      .at(-1) ?? ''
  );
}
