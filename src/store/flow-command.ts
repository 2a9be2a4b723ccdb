import { join, resolve } from 'node:path';
import { quoteArguments } from '../host/quote.ts';
import type { RunHeader } from './journal-format.ts';
import { runsDirectory } from './runs-directory.ts';

/** Makes a command of criu-flow about one run, for a person to paste into a shell, whatever directory that is in. */
export type FlowCommand = (verb: 'status' | 'resume' | 'rollback', ...options: readonly string[]) => string;

/**
 * The commands about a run.
 * @param sshConfigFile by which its hosts are reached now; the one that the run began with need not be said again
 */
export function flowCommandOf(
  run: { readonly runId: string; readonly path: string; readonly header: RunHeader },
  sshConfigFile?: string,
): FlowCommand {
  const isKnown = sshConfigFile === undefined || sshConfigFile === run.header.sshConfigFile;
  const config = isKnown ? [] : ['--ssh-config', sshConfigFile];
  const name = runName(run);
  return (verb, ...options) => quoteArguments(['criu-flow', verb, name, ...config, ...options]);
}

/** As a command line names a run: by its id, or a copy of its directory elsewhere by its path. */
export function runName({ runId, path }: { readonly runId: string; readonly path: string }): string {
  const whole = resolve(path);
  return whole === join(runsDirectory(), runId) ? runId : whole;
}
