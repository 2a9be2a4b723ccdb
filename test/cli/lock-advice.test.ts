import { expect, test } from 'vitest';
import { lockAdvice } from '../../src/cli/lock-advice.ts';
import { type Controller, thisController } from '../../src/lock/controller.ts';
import type { ListedLock } from '../../src/lock/workload-lock.ts';

const here: Controller = { ...thisController(), user: 'eve' };
const dead: Controller = { ...here, pid: 7, startTicks: 1 };
const elsewhere: Controller = { ...dead, machine: 'm2', bootId: 'x' };

const lock = (more: Partial<ListedLock>): ListedLock => ({
  runId: 'r1',
  controller: dead,
  pids: [42],
  epoch: 1,
  isVoid: false,
  ...more,
});
const advice = (locks: Readonly<Record<string, ListedLock>>, isHere = false): readonly string[] =>
  lockAdvice(
    Object.entries(locks).map(([host, each]) => ({ host, lock: each })),
    { sshConfigFile: '/a b', isHere: () => isHere },
  );

test('of a run that is at work nothing is to be done', () => {
  expect(advice({ a: lock({ controller: here }), b: lock({ controller: here }) })).toEqual([]);
});

test('of one whose controller has ended and whose directory is here: status says what', () => {
  expect(advice({ a: lock({}), b: lock({}) }, true)).toEqual([
    '',
    'Run r1 has no controller any more. How it stands, and what to do next:',
    '  criu-flow status r1',
  ]);
});

test('of one whose directory is not here: where that is, and how its locks are given up when it is lost', () => {
  expect(advice({ a: lock({}), b: lock({}) })).toEqual([
    '',
    `Run r1 has no controller any more. How it stands, and what to do next, this says with eve on ${here.machine}:`,
    '  criu-flow status r1',
    'Only when that directory is lost, and the workload is seen to, its locks are given up by hand:',
    "  criu-flow unlock --ssh-config '/a b' --reason 'its run directory is lost' -- r1 a b",
  ]);
});

test('a controller that cannot be seen may be at work: no command takes its locks', () => {
  expect(advice({ a: lock({ controller: elsewhere }) })).toEqual([
    '',
    'Whether run r1 is at work cannot be seen from here. How it stands, and what to do next, this says with eve on m2:',
    '  criu-flow status r1',
  ]);
  expect(advice({ a: lock({ controller: undefined }) })[1]).toMatch(/this says where its directory is:$/);
});

test('a lock from before the last boot is void, whoever has it', () => {
  expect(advice({ a: lock({ controller: elsewhere, isVoid: true }) })).toEqual([
    '',
    'Whether run r1 is at work cannot be seen from here; its locks are void, and go when another run begins there. How it stands, and what to do next, this says with eve on m2:',
    '  criu-flow status r1',
    'Only when that directory is lost, and the workload is seen to, its locks are given up by hand:',
    "  criu-flow unlock --ssh-config '/a b' --reason 'its run directory is lost' -- r1 a",
  ]);
});

test('what a host has written steers no terminal, and is one word for the shell', () => {
  const hostile = '$(reboot)\u001b[2J\u202e';
  const lines = advice({
    a: lock({ runId: hostile, controller: { ...dead, user: hostile } }),
  });
  for (const character of ['\u001b', '\u202e']) expect(lines.join('')).not.toContain(character);
  expect(lines[2]).toBe("  criu-flow status '$(reboot)'");
});
