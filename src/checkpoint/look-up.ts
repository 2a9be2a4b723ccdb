import type { Host } from '../host/host.ts';
import type { RevertSelector, WorkloadSelector } from '../plan/plan.ts';
import { readAlive } from '../workload/alive.ts';
import { readWorkload, type WorkloadFacts } from '../workload/facts.ts';
import { findWorkload } from '../workload/find.ts';
import type { Checkpoint } from './checkpoint.ts';
import { readCheckpoint } from './store.ts';

/** A workload that runs, or the one that a checkpoint was made of. */
export interface FoundWorkload {
  readonly workload: WorkloadFacts;
  readonly checkpoint?: Checkpoint;
}

/**
 * Looks up what a selector names: a process on the source, a checkpoint on the destination. Changes nothing.
 * @throws FlowError as {@link findWorkload} and {@link readCheckpoint} do
 */
export async function lookUpWorkload(
  { source, destination }: { readonly source: Host; readonly destination: Host },
  selector: WorkloadSelector,
): Promise<FoundWorkload> {
  switch (selector.kind) {
    case 'checkpoint': {
      const checkpoint = await readCheckpoint(destination, selector);
      return { workload: checkpoint.workload, checkpoint };
    }
    case 'revert': {
      const checkpoint = await readCheckpoint(destination, selector);
      return { workload: await readReplaced(source, checkpoint, selector), checkpoint };
    }
    default:
      return { workload: await readWorkload(source, await findWorkload(source, selector)) };
  }
}

/** What runs on the source in the place of a checkpoint; or what it was, with start times that no process has. */
async function readReplaced(
  source: Host,
  { workload }: Checkpoint,
  { boot: bootThen, replaces }: RevertSelector,
): Promise<WorkloadFacts> {
  if (replaces) {
    const { boot, alive } = await readAlive(source, [replaces.pid]);
    const isIt = boot === bootThen && alive[0]?.startTicks === replaces.startTicks;
    if (isIt) return readWorkload(source, replaces.pid);
  }
  return { ...workload, processes: workload.processes.map((each) => ({ ...each, startTicks: ENDED })) };
}

/** The start time of no process: only the first of a boot could have it. */
const ENDED = 0;

/** Whether what {@link lookUpWorkload} found had ended before. */
export function hasEnded({ processes }: WorkloadFacts): boolean {
  return processes[0]?.startTicks === ENDED;
}
