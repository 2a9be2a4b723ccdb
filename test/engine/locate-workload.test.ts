import { expect, test } from 'vitest';
import { locateWorkload } from '../../src/engine/locate-workload.ts';
import type { Host } from '../../src/host/host.ts';
import type { RunState } from '../../src/steps/step.ts';

/** A host on which the process is in these states, one after the other; the last one stays. */
function hostWith(...states: readonly string[]): Host {
  const left = [...states];
  const stdout = (): string => (left.length > 1 ? (left.shift() ?? '') : (left[0] ?? ''));
  return {
    name: 'a',
    sshConfigFile: undefined,
    run: async () => ({ exitCode: 0, signal: undefined, stdout: stdout(), stderr: '' }),
    standBy: async () => undefined,
    close: async () => undefined,
  };
}

const state = {
  committed: false,
  restoreBegan: false,
  workload: { rootPid: 7, processes: [{ pid: 7, startTicks: 17 }] },
} as unknown as RunState;

test('a process that strace holds for a moment runs', async () => {
  const source = hostWith('t 17\n', 't 17\n', 'S 17\n');
  expect(await locateWorkload({ source, destination: hostWith('') }, state)).toBe('source');
});

test('one that is held for long is not said to run', async () => {
  expect(await locateWorkload({ source: hostWith('t 17\n'), destination: hostWith('') }, state)).toBe(
    'unknown',
  );
});

test('another one with its pid is not it', async () => {
  expect(await locateWorkload({ source: hostWith('S 18\n'), destination: hostWith('') }, state)).toBe(
    'nowhere',
  );
});
