import { describe, expect, test } from 'vitest';
import type { MeasuredWorkload, StrategyEstimate } from '../../src/events/event.ts';
import { chooseOf, expectedPauseMs } from '../../src/steps/strategy-rule.ts';

const MIB = 1024 ** 2;

/** A workload that writes to so many MiB in a second, each time to others, and a link of 1 Gbit/s. */
function measured(memoryMiB: number, writesMiB: number, isTracked = true): MeasuredWorkload {
  const changed = [250, 500, 1000, 2000].map((withinMs) => ({
    withinMs,
    sizeBytes: Math.min(memoryMiB, (writesMiB * withinMs) / 1000) * MIB,
  }));
  const rest = { sharedBytes: 0, hugePagesBytes: 0, bytesPerSecond: 119 * MIB, isTracked };
  return { privateBytes: memoryMiB * MIB, changed, ...rest };
}

describe('the pause that is expected', () => {
  test('grows with the memory where all of it is copied', () => {
    expect(expectedPauseMs('stop-and-copy', measured(1024, 0), 8)).toBeCloseTo(275 + 1000 + 8605 + 1000, -1);
    expect(expectedPauseMs('stop-and-copy', measured(1024, 500), 8)).toBeCloseTo(10_880, -1);
  });

  test('is that of the last round and of the rebuilding where it was copied before', () => {
    const idle = expectedPauseMs('pre-copy', measured(1024, 0), 8);
    expect(idle).toBeCloseTo(275 + 100 + 1000, -1);
    const busy = expectedPauseMs('pre-copy', measured(1024, 50), 8);
    expect(busy).toBeGreaterThan(idle + 200);
    expect(busy).toBeLessThan(idle + 500);
  });

  test('has all of the memory to compare where the kernel does not track it', () => {
    const busy = expectedPauseMs('pre-copy', measured(1024, 50, false), 8);
    expect(busy).toBeGreaterThan(275 + 1000 + 1000 + 400);
    expect(busy).toBeLessThan(10_880 / 2);
  });

  test('is no shorter than that of one copy where more is written to than travels', () => {
    expect(expectedPauseMs('pre-copy', measured(1024, 500), 8)).toBeGreaterThan(10_000);
  });

  test('is longer with fewer rounds', () => {
    const [one, two] = [1, 2].map((rounds) => expectedPauseMs('pre-copy', measured(1024, 50), rounds));
    expect(one).toBeGreaterThan(two ?? Infinity);
  });

  test('is next to nothing where the memory is fetched later', () => {
    expect(expectedPauseMs('post-copy', measured(4096, 500), 8)).toBe(675);
  });

  test('has what is shared, and huge pages, whatever the strategy', () => {
    const shared = { ...measured(64, 0), sharedBytes: 4096 * MIB, hugePagesBytes: 1024 * MIB };
    for (const strategy of ['stop-and-copy', 'pre-copy', 'post-copy'] as const)
      expect(expectedPauseMs(strategy, shared, 8)).toBeGreaterThan(5120 * 8.4);
  });

  test('of a workload without memory of its own has an end', () => {
    const none = { ...measured(0, 0), changed: [], bytesPerSecond: 1 };
    for (const strategy of ['stop-and-copy', 'pre-copy', 'post-copy'] as const)
      expect(expectedPauseMs(strategy, none, 8)).toBe(275);
  });
});

describe('chosen is', () => {
  const estimates: readonly StrategyEstimate[] = [
    { strategy: 'stop-and-copy', pauseMs: 9000 },
    { strategy: 'pre-copy', pauseMs: 1000 },
    { strategy: 'post-copy', pauseMs: 400 },
  ];

  test.each([
    ['the one with the shortest pause', undefined, 'post-copy'],
    ['the simplest that meets the objective', 10_000, 'stop-and-copy'],
    ['one that surely meets it', 9100, 'pre-copy'],
    ['the one with the shortest pause when none meets it', 100, 'post-copy'],
  ])('%s', (_, objectiveMs, strategy) => {
    expect(chooseOf(estimates, objectiveMs)).toMatchObject({ strategy });
  });

  test('the simpler one of two that are about as good', () => {
    const alike = estimates.map((each) => ({
      ...each,
      pauseMs: each.strategy === 'post-copy' ? 2850 : 3000,
    }));
    expect(chooseOf(alike, undefined)).toMatchObject({ strategy: 'stop-and-copy' });
  });

  test('the simpler one where the other gains what nobody minds', () => {
    const short = estimates.map((each, index) => ({ ...each, pauseMs: 390 - 50 * index }));
    expect(chooseOf(short, undefined)).toMatchObject({ strategy: 'stop-and-copy' });
  });

  test('none that cannot be', () => {
    const [first, second] = estimates;
    if (!first || !second) throw new Error('there are three');
    const possible = [first, second, { strategy: 'post-copy', impossible: 'no userfaultfd' } as const];
    expect(chooseOf(possible, undefined)).toMatchObject({ strategy: 'pre-copy', pauseMs: 1000 });
  });
});
