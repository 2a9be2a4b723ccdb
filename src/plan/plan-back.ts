import { digestOf } from './digest.ts';
import type { Plan, PlanStep } from './plan.ts';

/**
 * What a move is made of: all else in a plan is of the way there. Copies before and after the pause are, too: they make it short, and need
 * what the other host may not have.
 */
const MOVE: ReadonlySet<PlanStep['uses']> = new Set([
  'preflight',
  'prepare',
  'dump',
  'transfer/rsync',
  'transfer/sftp',
  'transfer/shared',
  'transfer/stream',
  'restore',
  'commit',
]);

/**
 * The plan that moves a workload back, which a run of another plan has moved. Pure.
 * @param pid of its root process, which it kept
 */
export function planBack(plan: Plan, pid: number): Plan {
  return wayBack(plan, {
    isBack: true,
    name: `${plan.name}: back`,
    workload: { kind: 'pid', pid },
    steps: plan.steps.filter(({ uses }) => MOVE.has(uses)).map((step) => ({ ...step, rollback: [] })),
  });
}

/** A plan between the same hosts in the other direction, with nothing of the recipe but what is given. */
export function wayBack(
  plan: Plan,
  own: Pick<Plan, 'name' | 'workload' | 'steps'> & Partial<Pick<Plan, 'network' | 'files' | 'isBack'>>,
): Plan {
  const { digest: _, strategy: __, ...there } = plan;
  const back: Omit<Plan, 'digest'> = {
    ...there,
    source: plan.destination,
    destination: plan.source,
    objectives: {},
    rollback: [],
    onFailure: 'keep',
    always: [],
    watches: [],
    inputs: {},
    secrets: {},
    ...own,
  };
  return { ...back, digest: digestOf(back) };
}
