import type { FlowError } from '../errors/flow-error.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import { type ListedLock, listLocks } from '../lock/workload-lock.ts';
import { SURE_FUNCTION, WHOLE_FUNCTION } from '../criu/whole-images.ts';
import { BOOT_FUNCTION } from '../host/boot-function.ts';
import { hostDirectoryPrefix } from './host-directory.ts';

/** What a host knows of a run. */
export interface RunOnHost {
  readonly lock?: ListedLock;
  /** Of the attempts that have a directory there. */
  readonly epochs: readonly number[];
  /** Of the newest one: of its dump or its restore. */
  readonly decision: 'commit' | 'abort' | 'none';
  readonly hasImages: boolean;
  /** It is a source that was started again before they had digests, and nobody has said yet that they will do. */
  readonly areImagesUnsure: boolean;
  /** What was frozen there has run on since. */
  readonly ranOn: boolean;
  /** Whether its memory was to be fetched after the commit; undefined where nothing was made ready to dump or to restore it. */
  readonly isFetchedLater?: boolean | undefined;
}

/**
 * Prints, for each attempt's directory, its name, what was decided there, whether it has whole images, whether it knows, whether its
 * memory was to be fetched `later`, `at-once`, or neither is `known`, and `on` when what it froze has run on since. Arguments: their beginnings.
 */
const RUN_SCRIPT: string = `
${BOOT_FUNCTION}
${WHOLE_FUNCTION}
${SURE_FUNCTION}
for directory in "$1"*; do
  [ -d "$directory" ] || continue
  decision=none images=none sure=sure memory=unknown ran=
  for file in "$directory"/*/decision; do [ ! -f "$file" ] || read -r decision _ < "$file"; done
  ! whole "$directory" || images=whole
  sure "$directory" || sure=unsure
  [ ! -d "$directory/dump" ] && [ ! -d "$directory/restore" ] || memory=at-once
  [ ! -e "$directory/dump/serves" ] && [ ! -e "$directory/restore/lazy-pages.pl" ] || memory=later
  [ ! -f "$directory/dump/settled" ] || read -r ran < "$directory/dump/settled"
  case $ran in resumed | healed | restored) ran=on ;; esac
  [ ! -f "$directory/dump/aborted" ] || ran=on
  echo "\${directory##*-} $decision $images $sure $memory $ran"
done
`;

/**
 * Looks at what is there of a run. Changes nothing.
 * @param lost why the host is not connected: then it knows nothing
 * @throws FlowError as the host's commands do
 */
export async function lookAtRun(host: Host, runId: string, lost: FlowError | undefined): Promise<RunOnHost> {
  if (lost) return { epochs: [], decision: 'none', hasImages: false, areImagesUnsure: false, ranOn: false };
  const [locks, { stdout }] = await Promise.all([
    listLocks(host),
    mustRunScript(host, RUN_SCRIPT, [hostDirectoryPrefix(runId)], { what: 'Looking at the run' }),
  ]);
  const attempts = stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(' '))
    .toSorted(([one], [other]) => Number(one) - Number(other));
  const [, decision, images, sure, memory, ran] = attempts.at(-1) ?? [];
  const lock = locks.find((each) => each.runId === runId);
  return {
    ...(lock ? { lock } : {}),
    epochs: attempts.map(([epoch]) => Number(epoch)),
    decision: decision === 'commit' || decision === 'abort' ? decision : 'none',
    hasImages: images === 'whole',
    areImagesUnsure: sure === 'unsure',
    ranOn: ran === 'on',
    isFetchedLater: memory === 'later' ? true : memory === 'at-once' ? false : undefined,
  };
}
