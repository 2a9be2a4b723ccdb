import { findTwins } from '../checkpoint/store.ts';
import type { Host } from '../host/host.ts';
import { readBoot } from '../lock/workload-lock.ts';
import type { Plan } from '../plan/plan.ts';
import { survivors } from '../workload/identity.ts';
import type { Progress } from './read-progress.ts';
import type { RunOnHost } from './run-on-host.ts';

/**
 * Whether the source was started again since the run began, and has nothing of it, as after the loss of its disk: the copy there has
 * ended, and there is nothing to bring it back from. Not so of a source that was cleaned up, where the workload had run on, nor
 * of one that runs the program again by itself. Changes nothing.
 */
async function hasForgotten(
  source: Host,
  found: RunOnHost,
  { boots, movedInEpoch, began, workload }: Progress,
): Promise<boolean> {
  if (!boots || !workload || found.lock || found.epochs.includes(movedInEpoch)) return false;
  if (began.has('clean-up')) return false;
  if ((await readBoot(source)) === boots.source) return false;
  return (await findTwins(source, workload)).length === 0;
}

/**
 * Why nothing could bring the source's copy back, which has ended: the source has nothing of the run any more; or it has not all of
 * the images, be it that the memory was streamed to the destination, or that they were lost with its power; or they may be, and only
 * a person could say that they will do.
 */
export type LostOnSource = 'forgotten' | 'imageless' | 'unsure';

/** Asks a source that answers, of a run that has not committed. Changes nothing there. */
export async function whyLost(
  source: Host,
  found: RunOnHost,
  progress: Progress,
  plan: Plan,
): Promise<LostOnSource | undefined> {
  if (await hasForgotten(source, found, progress)) return 'forgotten';
  const { workload } = progress;
  if (plan.kind !== 'move' || plan.workload.kind === 'revert') return undefined;
  if (!workload || found.ranOn || found.epochs.length === 0) return undefined;
  if (found.hasImages && !found.areImagesUnsure) return undefined;
  if ((await survivors(source, workload.processes)).length > 0) return undefined;
  // The program may have been started again by itself, as by systemd.
  if ((await findTwins(source, workload)).length > 0) return undefined;
  return found.hasImages ? 'unsure' : 'imageless';
}
