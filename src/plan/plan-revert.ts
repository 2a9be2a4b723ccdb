import { wayBack } from './plan-back.ts';
import { type ActingStep, allowedFindings, type Plan, type RevertSelector } from './plan.ts';

/**
 * The plan that ends a workload where a run of another plan has moved it, and restores it where it was from the images of that
 * moment, which are a checkpoint there by now. Pure. Its connections have gone on since, and its files are where it left them.
 */
export function planRevert(plan: Plan, of: Omit<RevertSelector, 'kind'>): Plan {
  return wayBack(plan, {
    name: `${plan.name}: back to its images`,
    workload: { kind: 'revert', ...of },
    network: { ...plan.network, connections: 'close' },
    files: [],
    steps: STEPS.map(([uses, title], index): ActingStep => {
      const id = uses === 'prepare' ? uses : `${index + 1}-${uses.replace(/\/.*/, '')}`;
      const allow = allowedFindings(plan);
      const step = { id, title, rollback: [] };
      // What the move went past does not keep it from going back.
      return uses === 'preflight' ? { ...step, uses, allow } : { ...step, uses };
    }),
  });
}

const STEPS = [
  ['preflight', 'Check both hosts and the images'],
  ['prepare', 'Prepare both hosts'],
  ['give-up', 'Make ready to end the copy on the source'],
  ['transfer/checkpoint', 'Take the images of the moment in which it moved'],
  ['restore', 'Restore it on the destination, held'],
  ['commit', 'Commit: end the copy on the source, release the destination'],
] as const;
