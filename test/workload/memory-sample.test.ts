import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { LocalHost } from '../../src/host/local.ts';
import { watchMemory, writeMemorySample } from '../../src/workload/memory-sample.ts';

const MIB = 1024 ** 2;
const host = new LocalHost();
const { signal } = new AbortController();
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** Perl with 32 MiB, of which it writes to the first so many over and over. @returns its pid */
async function start(hotMiB: number): Promise<number> {
  const program = `
$| = 1;
my $memory = 'word' x (8 * 2 ** 20);
print "ready\\n";
my $number = 0;
for (;;) {
  $number++;
  for (my $at = 0; $at < ${hotMiB} * 2 ** 20; $at += 4096) { substr $memory, $at, 8, sprintf '%08d', $number }
  select undef, undef, undef, 0.05;
}`;
  const child = spawn('perl', ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  ends.push(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child.pid ?? 0;
}

test('sees how much a process writes to, whatever the kernel tracks', async () => {
  const { privateBytes: sizeBytes, changed } = await watchMemory(host, [await start(8)], signal);
  expect(sizeBytes).toBeGreaterThan(32 * MIB);
  expect(sizeBytes).toBeLessThan(100 * MIB);
  expect(changed.map(({ withinMs }) => Math.round(withinMs / 250))).toEqual([1, 2, 4, 8]);
  for (const each of changed) {
    expect(each.sizeBytes).toBeGreaterThan(4 * MIB);
    expect(each.sizeBytes).toBeLessThan(14 * MIB);
  }
});

test('sees that one writes to next to nothing', async () => {
  const { changed } = await watchMemory(host, [await start(0)], signal);
  expect(changed.at(-1)?.sizeBytes).toBeLessThan(MIB);
});

test('a process that is gone has no memory', async () => {
  const child = spawn('true');
  await once(child, 'exit');
  expect(await watchMemory(host, [child.pid ?? 0], signal)).toMatchObject({
    ...{ privateBytes: 0, sharedBytes: 0 },
    changed: [{ sizeBytes: 0 }, { sizeBytes: 0 }, { sizeBytes: 0 }, { sizeBytes: 0 }],
  });
});

test('writes what the process has, for nobody else to read, and not more than it is to', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'criu-flow-sample-'));
  ends.push(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'sample');
  const pid = await start(0);
  expect(await writeMemorySample(host, [pid], { file, mostBytes: 8 * MIB, signal })).toBe(8 * MIB);
  expect(statSync(file)).toMatchObject({ size: 8 * MIB });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const words = readFileSync(file, 'latin1').split('wordwordword').length;
  expect(words).toBeGreaterThan((8 * MIB) / 12 / 2);
  const whole = join(directory, 'whole');
  const size = await writeMemorySample(host, [pid], { file: whole, mostBytes: 1024 * MIB, signal });
  expect(size).toBeGreaterThan(32 * MIB);
  expect(size).toBeLessThan(100 * MIB);
});
