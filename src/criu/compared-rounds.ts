import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import { COMPARE_PROGRAM } from './compare-script.ts';

/** In a run's directory on the source: what was written of each process until now. */
const MEMORY = 'compared';

/** Makes the directory in which it is remembered what the rounds have, mode 0700. */
export async function makeComparedDirectory(source: Host, runDirectory: string): Promise<void> {
  await mustRunScript(source, 'umask 077; mkdir -p "$1"', [`${runDirectory}/${MEMORY}`], {
    what: 'Making the directory of the rounds',
  });
}

/**
 * Perl that writes a round of images, in a directory that is there, of processes that run on: all that has changed since the last round.
 * @param number of the round, from 1 on
 */
export function compareArguments(
  runDirectory: string,
  number: number,
  processes: readonly { readonly pid: number; readonly startTicks: number }[],
): readonly string[] {
  const directories = [`${runDirectory}/images`, `${runDirectory}/${MEMORY}`];
  const tasks = processes.map(({ pid, startTicks }) => `${pid}:${startTicks}`);
  return ['perl', '-e', COMPARE_PROGRAM, 'round', ...directories, String(number), ...tasks];
}

/** The names and texts of the files that take what the rounds have out of a dump, in a hold's directory. */
export const COMPARE_FILES: readonly (readonly [string, string])[] = [
  ['compare.pl', COMPARE_PROGRAM],
  [
    'before-held',
    `
images=\${PWD%/*}/images
perl ./compare.pl dump "$images" "\${PWD%/*}/${MEMORY}" && exit
rm -f "$images"/*.img.new
# As they were dumped they are whole, too: only more of them travels.
[ ! -e replacing ]
`,
  ],
];
