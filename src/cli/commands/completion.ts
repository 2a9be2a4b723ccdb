import type { Command } from 'commander';
import { sanitizeLine } from '../../report/sanitize.ts';
import { complete } from '../completion/complete.ts';
import { COMPLETION_SCRIPTS, type Shell } from '../completion/scripts.ts';

/** `criu-flow completion`: what a shell reads to complete the command line. @returns 0 */
export function completionCommand(shell: Shell): number {
  process.stdout.write(COMPLETION_SCRIPTS[shell]);
  return 0;
}

/** `criu-flow complete`, for those scripts: which files to offer, then a candidate on each line. @returns 0 */
export async function completeCommand(program: Command, words: readonly string[]): Promise<number> {
  const { files, candidates } = await complete(program, words);
  const lines = candidates.map(({ value, description }) => `${value}\t${sanitizeLine(description)}`);
  process.stdout.write(`${[files, ...lines].join('\n')}\n`);
  return 0;
}
