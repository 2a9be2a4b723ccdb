import type { Host } from '../host/host.ts';
import { killProcess } from '../host/remote-process.ts';
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

/** Ends each round that is at work. Idempotent. */
export async function endComparedRounds(source: Host, runDirectory: string): Promise<void> {
  const { stdout } = await mustRunScript(
    source,
    'ls -d "$1"/round-*/process 2> /dev/null || :',
    [`${runDirectory}/${MEMORY}`],
    { what: 'Looking for rounds' },
  );
  for (const process of stdout.split('\n').filter(Boolean)) await killProcess(source, process);
}

/** Of a round: beside what is remembered. */
export function comparedRoundDirectory(runDirectory: string, round: string): string {
  return `${runDirectory}/${MEMORY}/${round}`;
}

/** Why a dump was left as it was, with all of the memory; undefined for one that was made smaller. */
export async function whyNotCompared(source: Host, holdDirectory: string): Promise<string | undefined> {
  const { stdout } = await mustRunScript(
    source,
    '[ ! -f "$1/not-compared" ] || { echo why; tail -n 1 "$1/before-held.output"; }',
    [holdDirectory],
    { what: 'Looking at the dump' },
  );
  return stdout === '' ? undefined : stdout.trim().split('\n').slice(1).join(' ');
}

/** The names and texts of the files that take what the rounds have out of a dump, in a hold's directory. */
export const COMPARE_FILES: readonly (readonly [string, string])[] = [
  ['compare.pl', COMPARE_PROGRAM],
  [
    'before-held',
    `
images=\${PWD%/*}/images
perl ./compare.pl dump "$images" "\${PWD%/*}/${MEMORY}" &
perl=$!
# Whoever has decided meanwhile waits for nothing of it. Once nobody has waited for it, its pid may be another's.
(while kill -0 $$; do [ ! -f decision ] || { kill "$perl"; break; }; sleep 0.2; done) > /dev/null 2>&1 &
watcher=$!
wait "$perl"
code=$?
kill "$watcher" 2> /dev/null
[ "$code" -ne 0 ] || exit 0
# As they were dumped they are whole, too: only more of them travels.
[ ! -e replacing ] || exit 1
rm -f "$images"/*.img.new "$images/parent"
: > not-compared
`,
  ],
];
