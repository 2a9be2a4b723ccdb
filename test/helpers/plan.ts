import type { Plan } from '../../src/plan/plan.ts';

/** A plan that does nothing, from `a` to `b`. */
export function planWith(more: Partial<Plan> = {}): Plan {
  return {
    version: 1,
    kind: 'move',
    name: 'a plan',
    file: 'recipe.yaml',
    source: 'a',
    destination: 'b',
    workload: { kind: 'pid', pid: 1 },
    network: { connections: 'refuse' },
    files: [],
    objectives: {},
    steps: [],
    rollback: [],
    onFailure: 'keep',
    always: [],
    watches: [],
    inputs: {},
    secrets: {},
    digest: '',
    ...more,
  };
}
