import { expect, test } from 'vitest';
import { Standing } from '../../src/cli/standing.ts';
import type { FlowEvent, Phase } from '../../src/events/event.ts';

const begun: FlowEvent = {
  kind: 'run-started',
  runId: 'R',
  runKind: 'move',
  recipe: 'x',
  source: 'a',
  destination: 'b',
  steps: [],
};
const after = (...phases: readonly Phase[]): string => {
  const standing = new Standing();
  standing.onEvent(begun);
  standing.onEvent({ kind: 'step-started', stepId: 'lock' });
  for (const phase of phases) standing.onEvent({ kind: 'phase-started', phase });
  return standing.describe();
};

test('before anything is locked there is nothing to say', () => {
  const standing = new Standing();
  expect(standing.describe()).toBe('Nothing was touched.');
  standing.onEvent(begun);
  expect(standing.describe()).toBe('Nothing was touched.');
});

test.each([
  [[], /^The workload runs on a\.\nLeft on a and b: the run's lock\.\n.* rollback R$/],
  [['prepare'], /^The workload runs on a\.\nLeft on a and b: .*criu-flow\/R-\*.*\n.* rollback R$/],
  [
    ['prepare', 'freeze', 'transfer'],
    /^The workload is frozen on a, or runs there again within 30 s\.\n.*\n.* rollback R$/,
  ],
  [['restore', 'commit'], /^The commit has begun: nobody runs until .*\n.*\n.* resume R$/],
  [['commit', 'release'], /^The commit has begun: .*\n.*\n.* resume R$/],
  [['release', 'verify'], /^The workload runs on b\.\n.*\n.* resume R$/],
  [['release', 'verify', 'clean-up'], /^The workload runs on b\.\n.*\n.* resume R$/],
  [['transfer', 'clean-up'], /^Where the workload runs is not sure from here\.\n.*\n.* rollback R$/],
] as const)('left after %j, with where the workload is and how to go on', (phases, expected) => {
  expect(after(...phases)).toMatch(expected);
});

test('a run that has ended leaves nothing', () => {
  const standing = new Standing();
  standing.onEvent(begun);
  standing.onEvent({ kind: 'phase-started', phase: 'commit' });
  standing.onEvent({ kind: 'run-finished', summary: {} as never });
  expect(standing.describe()).toBe('Nothing was touched.');
});

test('left in the middle of a rollback, it says so, and how to go on', () => {
  const standing = new Standing();
  standing.onEvent(begun);
  standing.onEvent({ kind: 'step-started', stepId: 'lock' });
  standing.onEvent({ kind: 'phase-started', phase: 'transfer' });
  standing.onEvent({ kind: 'rollback-started', reason: { code: 'TIMEOUT', message: 'x' }, actions: [] });
  expect(standing.describe()).toMatch(
    /^The rollback has begun and has not come to its end: .*\n.*\n.* rollback R$/,
  );
});

test('a take-up never says that nothing is left: an earlier attempt has been there', () => {
  const standing = new Standing({ isTakenUp: true });
  expect(standing.describe()).toBe('Nothing was touched by this take-up.');
  standing.onEvent(begun);
  expect(standing.describe()).toMatch(
    /^The run was taken up, and stands as the hosts say\.\nLeft on a and b: .*\nGo on with: criu-flow status R$/,
  );
  standing.onEvent({ kind: 'rollback-started', reason: { code: 'TIMEOUT', message: 'x' }, actions: [] });
  expect(standing.describe()).toContain('rollback R');
});
