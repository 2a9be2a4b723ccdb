/** Where runs keep their things on the hosts: on disk, since images are as large as the workload's memory. */
const HOST_DIRECTORY = '/var/lib/criu-flow';

/**
 * The directory of an attempt of a run, the same path on both hosts.
 * @param epoch of the attempt that began the move: each has a directory of its own
 */
export function hostDirectoryOf(runId: string, epoch: number): string {
  return `${HOST_DIRECTORY}/${attemptIdOf(runId, epoch)}`;
}

/** What the directories of all attempts of a run begin with; the epoch follows. */
export function hostDirectoryPrefix(runId: string): string {
  return `${HOST_DIRECTORY}/${runId}-`;
}

/** Names the things of one attempt on the hosts. */
export function attemptIdOf(runId: string, epoch: number): string {
  return `${runId}-${epoch}`;
}
