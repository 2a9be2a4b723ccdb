import type { Host } from '../host/host.ts';
import type { WorkloadSelector } from '../plan/plan.ts';
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
 * Looks up what a selector names. Changes nothing.
 * @throws FlowError as {@link findWorkload} and {@link readCheckpoint} do
 */
export async function lookUpWorkload(host: Host, selector: WorkloadSelector): Promise<FoundWorkload> {
  if (selector.kind !== 'checkpoint')
    return { workload: await readWorkload(host, await findWorkload(host, selector)) };
  const checkpoint = await readCheckpoint(host, selector);
  return { workload: checkpoint.workload, checkpoint };
}
