import { expect, test } from 'vitest';
import { type AttemptEnd, toDoOf } from '../../src/engine/to-do.ts';
import type { FailureData } from '../../src/events/event.ts';
import type { RunState } from '../../src/steps/step.ts';
import { rootedHost } from '../helpers/rooted-host.ts';

const hosts = {
  source: { ...rootedHost('root@a', '/'), sshConfigFile: '/tmp/my config' },
  destination: rootedHost('local', '/'),
};
const state = {
  committed: false,
  restoreBegan: false,
  workload: { rootPid: 4711 },
} as unknown as RunState;
const LOOK = [
  "ssh -F '/tmp/my config' -- root@a 'ps -o pid,stat,etime,args -p 4711'",
  'ps -o pid,stat,etime,args -p 4711',
  'criu-flow status r',
];
const failed: FailureData = { code: 'RESTORE_FAILED', message: 'no', command: 'ls /srv' };

const toDo = (end: Partial<AttemptEnd>, more: Partial<RunState> = {}) =>
  toDoOf(
    { outcome: 'rollback-incomplete', failure: undefined, undoFailures: [], ...end },
    { ...state, ...more },
    hosts,
    (verb) => `criu-flow ${verb} r`,
  );

test.each(['done', 'refused', 'rolled-back', 'moved-but-missed'] as const)('%s: nothing', (outcome) => {
  expect(toDo({ outcome, failure: failed })).toBeUndefined();
});

test('before the commit what failed is mended, then it is rolled back', () => {
  expect(toDo({ failure: failed, undoFailures: [failed, { ...failed, command: 'ls /a' }] })).toEqual({
    look: LOOK,
    mend: ['ls /srv', 'ls /a', 'criu-flow rollback r'],
  });
});

test('after the commit it is resumed, once', () => {
  expect(toDo({ failure: failed }, { committed: true })?.mend).toEqual(['ls /srv', 'criu-flow resume r']);
  const left: FailureData = { code: 'CLEAN_UP_FAILED', message: 'no', command: 'criu-flow resume r' };
  expect(toDo({ failure: left }, { committed: true })?.mend).toEqual(['criu-flow resume r']);
});

test('a rollback that was refused says itself how to go on', () => {
  const past: FailureData = { code: 'RESUME_REFUSED', message: 'past', command: 'criu-flow resume r' };
  expect(toDo({ undoFailures: [past] })?.mend).toEqual(['criu-flow resume r']);
  expect(toDo({ undoFailures: [{ ...past, command: 'criu-flow status r' }] })).toEqual({
    look: LOOK,
    mend: [],
  });
});

test('a workload that was never found cannot be looked for', () => {
  const { workload: _, ...unknown } = state;
  expect(
    toDoOf(
      { outcome: 'rollback-incomplete', failure: failed, undoFailures: [] },
      unknown,
      hosts,
      (verb) => verb,
    )?.look,
  ).toEqual(['status']);
});

test('another run is only to be looked at, and this one waits for it', () => {
  const locked: FailureData = { code: 'LOCKED', message: 'x', command: 'criu-flow status other' };
  expect(toDo({ outcome: 'locked', failure: locked })).toEqual({
    look: ['criu-flow status other'],
    mend: ['criu-flow rollback r'],
  });
});

test('what somebody else has taken up is only to be looked at', () => {
  expect(toDo({ outcome: 'superseded', failure: { code: 'SUPERSEDED', message: 'x' } })).toEqual({
    look: ['criu-flow status r'],
    mend: [],
  });
});
