import { mkdirSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { FlowError } from '../../src/errors/flow-error.ts';
import { LocalHost } from '../../src/host/local.ts';
import { measureBytesPerSecond, measureCompressions } from '../../src/steps/measure-way.ts';
import type { CarryDirectory, StepContext } from '../../src/steps/step.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../helpers/temporary-directory.ts';

const MIB = 1024 ** 2;
const host = new LocalHost();

/** The workload is this process. */
function contextIn(directory: TemporaryDirectory, carryProbe: CarryDirectory | undefined): StepContext {
  mkdirSync(directory.at('images'));
  return {
    source: host,
    destination: host,
    runDirectory: directory.path,
    signal: new AbortController().signal,
    state: {
      workload: { processes: [{ pid: process.pid }] },
      ...(carryProbe && { carryProbe }),
    },
  } as unknown as StepContext;
}

test('samples become larger until one takes longer than it takes to begin', async () => {
  using directory = temporaryDirectory();
  const sizes: number[] = [];
  const context = contextIn(directory, async (name, { sizeBytes }) => {
    expect(readdirSync(directory.at('images', name))).toEqual(['sample']);
    sizes.push(sizeBytes);
    await sleep(400 + (1000 * sizeBytes) / (8 * MIB));
  });
  const rate = await measureBytesPerSecond(context);
  expect(sizes).toEqual([4096, 128 * 1024, MIB, 8 * MIB]);
  expect(rate).toBeGreaterThan(6 * MIB);
  expect(rate).toBeLessThan(10 * MIB);
  expect(readdirSync(directory.at('images'))).toEqual([]);
});

test('a sample is left nowhere when it cannot be carried, and why is told', async () => {
  using directory = temporaryDirectory();
  const context = contextIn(directory, async () => {
    throw new FlowError('TRANSFER_FAILED', 'the link is down');
  });
  await expect(measureBytesPerSecond(context)).rejects.toMatchObject({ message: 'the link is down' });
  expect(readdirSync(directory.at('images'))).toEqual([]);
});

test('what is shared need only be written and read', async () => {
  using directory = temporaryDirectory();
  expect(await measureBytesPerSecond(contextIn(directory, undefined))).toBeGreaterThan(MIB / 4);
  expect(readdirSync(directory.at('images'))).toEqual([]);
});

test('a compression that rsync does not know is left out', async () => {
  using directory = temporaryDirectory();
  const context = contextIn(directory, async (_, { compression }) => {
    if (compression === 'zstd') throw new FlowError('TRANSFER_FAILED', 'rsync ended with 4');
    await sleep(400);
  });
  expect(Object.keys(await measureCompressions(context))).toEqual(['none', 'lz4']);
  expect(readdirSync(directory.at('images'))).toEqual([]);
});

test('each compression carries a sample that is large enough', async () => {
  using directory = temporaryDirectory();
  const carried: string[] = [];
  const bytesPerMs = { none: 2 * 1024, lz4: 4 * 1024, zstd: 1024 };
  const context = contextIn(directory, async (_, { sizeBytes, compression = 'none' }) => {
    carried.push(`${compression} ${sizeBytes}`);
    await sleep(50 + sizeBytes / bytesPerMs[compression]);
  });
  const rates = await measureCompressions(context);
  expect(carried).toEqual([
    ...[4096, 128 * 1024, MIB].map((size) => `none ${size}`),
    // 256 ms are too little to be told from the moment to begin.
    ...[`lz4 ${MIB}`, `lz4 ${8 * MIB}`, `zstd ${MIB}`],
  ]);
  for (const compression of ['none', 'lz4', 'zstd'] as const)
    expect((rates[compression] ?? 0) / (1000 * bytesPerMs[compression])).toBeCloseTo(1, 0.7);
  expect(readdirSync(directory.at('images'))).toEqual([]);
});
