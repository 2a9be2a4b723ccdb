import { seriesDirectory } from '../checkpoint/store.ts';
import type { RunSummary } from '../events/event.ts';
import type { Plan } from '../plan/plan.ts';

/** The images of a workload whose run failed after the commit, as a checkpoint on the source. */
export interface KeptImages {
  readonly series: string;
  readonly id: number;
}

/** That they are still there, and what for. They hold the memory of the workload. */
export function stillKept(host: string, { series, id }: KeptImages, isAlive: boolean): string {
  const where = `Its images, of the moment in which it moved, are checkpoint ${id} of ${series} on ${host}`;
  return isAlive
    ? `${where}. It runs without them: rm -r ${seriesDirectory(series)} removes them there.`
    : `${where}, for a recipe of \`kind: restore\`: criu-flow run restore-from-checkpoint -i host=${host} -i series=${series}`;
}

/** What is to be said of the images at the end of an attempt, if it has left any. */
export function keptAtEnd(
  plan: Plan,
  kept: KeptImages | undefined,
  { workloadIsOn }: RunSummary,
): string | undefined {
  const isAlive = workloadIsOn === 'source' || workloadIsOn === 'destination';
  // A revert that came to its end has removed them.
  if (plan.workload.kind === 'revert')
    return workloadIsOn === 'destination' ? undefined : stillKept(plan.destination, plan.workload, isAlive);
  return kept && stillKept(plan.source, kept, isAlive);
}
