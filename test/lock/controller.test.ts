import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { describe, expect, test } from 'vitest';
import {
  type Controller,
  describeHolder,
  parseController,
  stateOf,
  thisController,
} from '../../src/lock/controller.ts';
import { startTicksOf } from '../../src/host/process-identity.ts';
import { startProgram } from '../helpers/started-program.ts';

const here = thisController();
const hasMachineId = existsSync('/etc/machine-id') && here.machineId !== '';
const who = `process ${here.pid} of ${here.user} on ${hostname()}`;

test('this process is at work', () => {
  expect(stateOf(here)).toBe('alive');
  expect(describeHolder(here)).toBe(`${who}, which is at work`);
});

test('one that was killed has ended, and so has one whose pid another process has by now', async () => {
  await using program = await startProgram('cat');
  const controller: Controller = {
    ...here,
    pid: program.pid,
    startTicks: startTicksOf(program.pid) ?? 0,
  };
  expect(stateOf(controller)).toBe('alive');
  expect(stateOf({ ...controller, startTicks: controller.startTicks - 1 })).toBe('ended');
  await program.kill();
  expect(stateOf(controller)).toBe('ended');
  expect(describeHolder(controller)).toMatch(/, which has ended$/);
});

describe('what is sure, and what is not', () => {
  test.each<[string, Partial<Controller>, ReturnType<typeof stateOf>, RegExp]>([
    [
      'another machine',
      { machine: 'another', bootId: 'x', machineId: 'y' },
      'elsewhere',
      /^process \d+ of \S+ on another; look there whether it is at work$/,
    ],
    [
      'a machine of this name that is not known to be this one',
      { bootId: 'x', machineId: '' },
      'elsewhere',
      /, before its last boot, or another machine of that name: whether it is at work is not sure$/,
    ],
    [
      'another machine of this name',
      { bootId: 'x', machineId: 'y' },
      'elsewhere',
      /another machine of that name: whether it is at work is not sure$/,
    ],
    [
      'a clone of this machine under another name',
      { machine: 'clone', bootId: 'x' },
      'elsewhere',
      /look there whether it is at work$/,
    ],
    [
      'another container of this machine, where its pid means another process',
      { pidNamespace: here.pidNamespace + 1 },
      'elsewhere',
      /, in another PID namespace; look there whether it is at work$/,
    ],
  ])('%s', (_, more, state, description) => {
    expect(stateOf({ ...here, ...more })).toBe(state);
    expect(describeHolder({ ...here, ...more })).toMatch(description);
  });

  test.skipIf(!hasMachineId)('this machine, before it was started again', () => {
    expect(stateOf({ ...here, bootId: 'x' })).toBe('ended');
  });

  test('nobody knows whose lock it is', () => {
    expect(describeHolder(undefined)).toBe('nobody knows who');
  });
});

test('what is read is what was written; anything else is nobody', () => {
  expect(parseController(JSON.parse(JSON.stringify(here)))).toEqual(here);
  for (const name of Object.keys(here)) {
    expect(parseController({ ...here, [name]: undefined }), name).toBeUndefined();
  }
  for (const value of [undefined, null, 7, 'x', [], {}]) expect(parseController(value)).toBeUndefined();
});
