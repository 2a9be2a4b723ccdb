import type { Host } from '../host/host.ts';
import { readBoot } from '../lock/workload-lock.ts';
import type { Progress } from './read-progress.ts';
import type { RunOnHost } from './run-on-host.ts';

/**
 * Whether the source was started again since the run began, and has nothing of it, as after the loss of its disk: the copy there has
 * ended, and there is nothing to bring it back from. Changes nothing.
 */
export async function hasForgotten(
  source: Host,
  found: RunOnHost,
  { boots, movedInEpoch }: Progress,
): Promise<boolean> {
  if (!boots || found.lock || found.epochs.includes(movedInEpoch)) return false;
  return (await readBoot(source)) !== boots.source;
}
