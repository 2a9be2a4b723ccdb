import { expect, test } from 'vitest';
import { exitCodeOf, outcomeOf, outcomeOfRollback, type Progress } from '../../src/engine/outcome.ts';
import type { FailureData } from '../../src/events/event.ts';

const failure: FailureData = { code: 'DUMP_FAILED', message: 'x' };
const nothing: Progress = {
  touched: false,
  committed: false,
  released: false,
  failure: undefined,
  superseded: false,
  undoFailed: false,
  objectiveMissed: false,
  lost: false,
};

test.each([
  ['all went well', { touched: true, committed: true, released: true }, 'done', 0],
  [
    'a check failed after the move',
    { touched: true, committed: true, released: true, failure },
    'moved-but-missed',
    7,
  ],
  [
    'an objective was missed',
    { touched: true, committed: true, released: true, objectiveMissed: true },
    'moved-but-missed',
    7,
  ],
  ['refused', { failure }, 'refused', 4],
  ['rolled back', { touched: true, failure }, 'rolled-back', 5],
  ['an undo failed', { touched: true, failure, undoFailed: true }, 'rollback-incomplete', 6],
  [
    'the source was ended and the destination not released',
    { touched: true, committed: true, failure },
    'rollback-incomplete',
    6,
  ],
  [
    'somebody else took the run up while it was rolled back',
    { touched: true, failure, superseded: true, undoFailed: true },
    'superseded',
    8,
  ],
  [
    'another run has its workload when it begins',
    { failure: { code: 'LOCKED', message: 'x' } },
    'refused',
    8,
  ],
  [
    'another run has its pids when it is resumed',
    { touched: true, committed: true, failure: { code: 'LOCKED', message: 'x' } },
    'locked',
    8,
  ],
  [
    'a check failed, and what moved has ended',
    { touched: true, committed: true, released: true, failure, lost: true, undoFailed: true },
    'rollback-incomplete',
    6,
  ],
] as const)('%s', (_, progress, outcome, exitCode) => {
  const how = { ...nothing, ...progress };
  expect(outcomeOf(how)).toBe(outcome);
  expect(exitCodeOf(outcome, how.failure)).toBe(exitCode);
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
])('%s that was rolled back ends with %i, as in a shell', (evidence, exitCode) => {
  const interrupted: FailureData = { code: 'INTERRUPTED', message: 'x', evidence };
  expect(exitCodeOf('rolled-back', interrupted)).toBe(exitCode);
  expect(exitCodeOf('refused', interrupted)).toBe(exitCode);
  expect(exitCodeOf('rollback-incomplete', interrupted)).toBe(6);
});

test('a time-out that was rolled back ends with 124, a bug with 1', () => {
  expect(exitCodeOf('rolled-back', { code: 'TIMEOUT', message: 'x' })).toBe(124);
  expect(exitCodeOf('rolled-back', { code: 'BUG', message: 'x' })).toBe(1);
});

test.each([
  [[], 'rolled-back', 5],
  [[failure], 'rollback-incomplete', 6],
  [[{ code: 'LOCKED', message: 'x' }], 'locked', 8],
  [[failure, { code: 'SUPERSEDED', message: 'x' }], 'superseded', 8],
] as const)('a rollback with the failures %j', (failures, outcome, exitCode) => {
  expect(outcomeOfRollback(failures)).toBe(outcome);
  expect(exitCodeOf(outcome, failures[0])).toBe(exitCode);
});
