import type { FlowError } from '../errors/flow-error.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import { type ListedLock, listLocks } from '../lock/workload-lock.ts';
import { hostDirectoryPrefix } from './host-directory.ts';

/** What a host knows of a run. */
export interface RunOnHost {
  readonly lock?: ListedLock;
  /** Of the attempts that have a directory there. */
  readonly epochs: readonly number[];
  /** Of the newest one: of its dump or its restore. */
  readonly decision: 'commit' | 'abort' | 'none';
  readonly hasImages: boolean;
}

/** Prints, for each attempt's directory, its name, what was decided there and whether it has whole images. Arguments: their beginnings. */
const RUN_SCRIPT = `
for directory in "$1"*; do
  [ -d "$directory" ] || continue
  decision=none images=none
  for file in "$directory"/*/decision; do [ ! -f "$file" ] || read -r decision _ < "$file"; done
  [ ! -s "$directory/images/inventory.img" ] || images=whole
  echo "\${directory##*-} $decision $images"
done
`;

/**
 * Looks at what is there of a run. Changes nothing.
 * @param lost why the host is not connected: then it knows nothing
 * @throws FlowError as the host's commands do
 */
export async function lookAtRun(host: Host, runId: string, lost: FlowError | undefined): Promise<RunOnHost> {
  if (lost) return { epochs: [], decision: 'none', hasImages: false };
  const [locks, { stdout }] = await Promise.all([
    listLocks(host),
    mustRunScript(host, RUN_SCRIPT, [hostDirectoryPrefix(runId)], { what: 'Looking at the run' }),
  ]);
  const attempts = stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(' '))
    .toSorted(([one], [other]) => Number(one) - Number(other));
  const [, decision, images] = attempts.at(-1) ?? [];
  const lock = locks.find((each) => each.runId === runId);
  return {
    ...(lock ? { lock } : {}),
    epochs: attempts.map(([epoch]) => Number(epoch)),
    decision: decision === 'commit' || decision === 'abort' ? decision : 'none',
    hasImages: images === 'whole',
  };
}
