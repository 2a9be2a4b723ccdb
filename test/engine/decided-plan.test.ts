import { expect, test } from 'vitest';
import { decidedPlan, strategyOf } from '../../src/engine/decided-plan.ts';
import { readProgress } from '../../src/engine/read-progress.ts';
import { isPostCopied, isPreCopied, type Plan } from '../../src/plan/plan.ts';
import { planWith } from '../helpers/plan.ts';

const shared = { title: 'x', rollback: [], when: false } as const;
const preCopy = { ...shared, id: 'pre-copy', uses: 'pre-copy', rounds: 8 } as const;
const postCopy = { ...shared, id: 'post-copy', uses: 'post-copy' } as const;
const open = planWith({ strategy: 'auto', steps: [preCopy, postCopy] });

const kindOf = (plan: Plan): readonly boolean[] => [isPreCopied(plan), isPostCopied(plan)];

test('a plan that leaves the strategy open is of none', () => {
  expect(kindOf(open)).toEqual([false, false]);
});

test.each([
  ['stop-and-copy', [false, false]],
  ['pre-copy', [true, false]],
  ['post-copy', [false, true]],
] as const)('%s is the plan that a recipe with that strategy has', (strategy, kind) => {
  const plan = decidedPlan(open, strategy);
  expect(kindOf(plan)).toEqual(kind);
  expect(plan).not.toHaveProperty('strategy');
  // The choice is no change of the plan.
  expect(plan.digest).toBe(open.digest);
});

test('a plan with a strategy of its own stays as it is', () => {
  const plan = planWith({ steps: [{ ...preCopy, when: undefined as never }] });
  expect(decidedPlan(plan, 'stop-and-copy')).toBe(plan);
});

test('the journal knows what was chosen; else the hosts know whether memory was to be fetched', () => {
  const hosts = (...later: readonly (boolean | undefined)[]) =>
    later.map((isFetchedLater) => ({ isFetchedLater }));
  expect(strategyOf({ strategy: 'pre-copy' }, hosts(true, true))).toBe('pre-copy');
  expect(strategyOf({ strategy: undefined }, hosts(undefined, true))).toBe('post-copy');
  expect(strategyOf({ strategy: undefined }, hosts(false, undefined))).toBe('stop-and-copy');
  expect(strategyOf({ strategy: undefined }, hosts(undefined, undefined))).toBe('stop-and-copy');
});

test('the journal has the choice of the last attempt that began the move', () => {
  const records = (...kinds: readonly string[]) =>
    kinds.map((kind, index) => ({
      ...{ sequence: index + 1, at: '', kind: 'strategy-chosen', report: { chosen: kind } },
      ...(kind === 'run' || kind === 'rollback' ? { kind: 'attempt', goal: kind, epoch: index + 1 } : {}),
    }));
  expect(readProgress(records('run', 'post-copy')).strategy).toBe('post-copy');
  expect(readProgress(records('run', 'post-copy', 'rollback')).strategy).toBe('post-copy');
  expect(readProgress(records('run', 'post-copy', 'rollback', 'run')).strategy).toBeUndefined();
  expect(readProgress(records('run', 'post-copy', 'run', 'pre-copy')).strategy).toBe('pre-copy');
  // As a secret whose value is part of it would leave it.
  expect(readProgress(records('run', '***-copy')).strategy).toBeUndefined();
});
