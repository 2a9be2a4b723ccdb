import { digestOf } from './digest.ts';
import type { Plan, PlanStep } from './plan.ts';

/** What a move is made of: all else in a plan is of the way there. */
const MOVE: ReadonlySet<PlanStep['uses']> = new Set([
  'preflight',
  'prepare',
  'dump',
  'transfer/rsync',
  'restore',
  'commit',
]);

/**
 * The plan that moves a workload back, which a run of another plan has moved. Pure.
 * @param pid of its root process, which it kept
 */
export function planBack(plan: Plan, pid: number): Plan {
  const { digest: _, ...there } = plan;
  const back: Omit<Plan, 'digest'> = {
    ...there,
    name: `${plan.name}: back`,
    source: plan.destination,
    destination: plan.source,
    workload: { kind: 'pid', pid },
    objectives: {},
    steps: plan.steps.filter(({ uses }) => MOVE.has(uses)).map((step) => ({ ...step, rollback: [] })),
    rollback: [],
    onFailure: 'keep',
    always: [],
    watches: [],
    inputs: {},
    secrets: {},
  };
  return { ...back, digest: digestOf(back) };
}
