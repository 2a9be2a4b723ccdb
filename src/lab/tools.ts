import { FlowError } from '../errors/flow-error.ts';
import type { CommandResult, RunOptions } from '../host/host.ts';
import { LocalHost } from '../host/local.ts';

/** This machine, on which labs are built. */
export const machine: LocalHost = new LocalHost();

/**
 * Runs a program of this machine that must succeed.
 * @throws FlowError LAB_FAILED with the program's last words
 */
export async function mustRun(
  what: string,
  argv: readonly string[],
  options?: RunOptions,
): Promise<CommandResult> {
  const result = await machine.run(argv, options);
  if (result.exitCode === 0) return result;
  throw new FlowError('LAB_FAILED', `${what} failed with exit code ${result.exitCode}`, {
    host: 'local',
    evidence: lastLines(result.stderr),
  });
}

/** What a tool said last is mostly why it gave up. */
export function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-5).join('\n');
}
