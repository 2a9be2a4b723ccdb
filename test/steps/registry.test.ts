import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { loadPlan } from '../../src/plan/load-plan.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { actingSteps } from '../../src/plan/plan.ts';
import { STEP_TYPES, timeoutOf } from '../../src/steps/registry.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const inputs = ['source=root@a', 'destination=root@b', 'pid=4711'];

function planOf(name: string): Promise<Plan> {
  return loadPlan({ recipe: name, inputs, cwd: root });
}

describe('the time that a step may take', () => {
  test('is that of its type', async () => {
    const plan = await planOf('process-rsync');
    for (const step of actingSteps(plan.steps))
      expect(timeoutOf(step, plan)).toBe(STEP_TYPES[step.uses].timeoutMs);
  });

  test('is that of the transfer for a dump that sends the memory', async () => {
    const plan = await planOf('process-stream');
    const dump = actingSteps(plan.steps).find(({ uses }) => uses === 'dump');
    expect(timeoutOf(dump!, plan)).toBe(STEP_TYPES['transfer/stream'].timeoutMs);
  });

  test('is found without a search of the plan but for the dump, so that long plans stay quick', async () => {
    const { steps } = await planOf('process-rsync');
    const unread = {
      get steps(): never {
        throw new Error('the plan was searched');
      },
    };
    for (const step of actingSteps(steps)) {
      if (step.uses !== 'dump') expect(timeoutOf(step, unread)).toBeGreaterThan(0);
    }
  });
});
