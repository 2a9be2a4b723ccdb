import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LocalHost } from '../../src/host/local.ts';
import { mustRunScript } from '../../src/host/shell.ts';
import { KILL_RESTORED_SCRIPT } from '../../src/steps/kill-restored-script.ts';
import { workloadState } from '../../src/workload/identity.ts';
import { startProgram } from '../helpers/started-program.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const host = new LocalHost();
const uptime = (): string => readFileSync('/proc/uptime', 'utf8').split(' ')[0] ?? '';

test('ends what began after criu was started, and nothing that was there before', async () => {
  using hold = temporaryDirectory();
  await using before = await startProgram('cat');
  // Both clocks count hundredths of a second: the next one begins the others' time.
  const began = uptime();
  await expect.poll(uptime, { interval: 5 }).not.toBe(began);
  writeFileSync(hold.at('started'), `${uptime()}\n`);
  await using restored = await startProgram('cat');
  await using other = await startProgram('cat');

  const pids = [before.pid, 4_194_303, restored.pid].join(' ');
  await mustRunScript(host, KILL_RESTORED_SCRIPT, [hold.path, pids], { what: 'Ending' });
  await expect.poll(() => workloadState(host, restored.pid, undefined)).toBe('gone');
  expect(await workloadState(host, before.pid, undefined)).toBe('running');
  expect(await workloadState(host, other.pid, undefined)).toBe('running');
});

test('ends nothing when criu was never started', async () => {
  using hold = temporaryDirectory();
  await using program = await startProgram('cat');
  await mustRunScript(host, KILL_RESTORED_SCRIPT, [hold.path, String(program.pid)], { what: 'Ending' });
  expect(await workloadState(host, program.pid, undefined)).toBe('running');
});
