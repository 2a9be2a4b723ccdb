import type { Strategy, StrategyEstimate } from '../events/event.ts';
import type { WrittenMemory } from '../workload/memory-sample.ts';

const MIB = 1024 * 1024;

/** Milliseconds for a MiB: criu writes and reads about 1 GiB in a second. */
export const CRIU_MS_PER_MIB: number = 1000 / 1024;

/** Milliseconds for each MiB of the memory that is only looked at: to find its pages, and to make a place for them. */
export const LOOK_MS_PER_MIB: number = 100 / 1024;

/**
 * What is left of the pause that was measured in docs/performance.md, 0.4 s for 64 MiB between two hosts that share a machine,
 * when what criu takes for the memory is taken off: starting criu twice, compressing, digests, and the disk.
 */
export const FIXED_MS = 275;

/** Milliseconds that a round of pre-copy takes besides the memory: to start criu, rsync and sha256sum. */
const ROUND_MS = 300;

/** Of memory: to copy less takes as long as the rest of a round. */
const LEAST_BYTES = 256 * 1024;

/** What was measured of the workload and of the way to the destination. */
export interface Measured {
  readonly memoryBytes: number;
  readonly written: WrittenMemory;
  /** Of memory, as the images are carried. */
  readonly bytesPerSecond: number;
}

/**
 * How long the pause would be, in milliseconds.
 * @param rounds of pre-copy, at most
 */
export function expectedPauseMs(strategy: Strategy, measured: Measured, rounds: number): number {
  const { memoryBytes } = measured;
  const lookMs = (memoryBytes / MIB) * LOOK_MS_PER_MIB;
  const criuMs = (bytes: number): number => (bytes / MIB) * CRIU_MS_PER_MIB;
  switch (strategy) {
    case 'stop-and-copy':
      return FIXED_MS + criuMs(memoryBytes) + sendMs(memoryBytes, measured) + criuMs(memoryBytes);
    case 'pre-copy': {
      const left = leftAfterRounds(measured, rounds);
      return FIXED_MS + lookMs + criuMs(left) + sendMs(left, measured) + criuMs(memoryBytes);
    }
    case 'post-copy':
      return FIXED_MS + lookMs;
  }
}

/** Bytes that the workload has written to since the last round began, when another one would not make it less. */
function leftAfterRounds(measured: Measured, most: number): number {
  let left = measured.memoryBytes;
  for (let round = 1; round <= most && left > LEAST_BYTES; round++) {
    const roundMs = ROUND_MS + (left / MIB) * CRIU_MS_PER_MIB + sendMs(left, measured);
    const next = writtenWithin(roundMs, measured);
    if (next >= left) break;
    left = next;
  }
  return left;
}

function sendMs(bytes: number, { bytesPerSecond }: Measured): number {
  return (1000 * bytes) / bytesPerSecond;
}

/** Between what was measured, in proportion; beyond it, as much more in the same time as between the last two. */
function writtenWithin(ms: number, { written, memoryBytes }: Measured): number {
  const points = [{ withinMs: 0, sizeBytes: 0 }, ...written.changed];
  const after = points.findIndex(({ withinMs }) => withinMs >= ms);
  const to = after === -1 ? points.length - 1 : Math.max(1, after);
  const [before, last] = [points[to - 1], points[to]];
  // A workload with no memory of its own writes to none.
  if (!before || !last) return 0;
  const perMs = (last.sizeBytes - before.sizeBytes) / Math.max(1, last.withinMs - before.withinMs);
  return Math.min(memoryBytes, before.sizeBytes + perMs * (ms - before.withinMs));
}

/** To be chosen before a simpler one, the pause must be shorter by more than the estimates are wrong. */
const WORTH = 0.9;

/**
 * Which strategy is taken: the first that meets the objective; else the first of those whose pause is about the shortest.
 * @param estimates of all, the simplest first
 */
export function chooseOf(
  estimates: readonly StrategyEstimate[],
  objectiveMs: number | undefined,
): StrategyEstimate & { readonly pauseMs: number } {
  const possible = estimates.filter(isPossible);
  const meets = possible.find(({ pauseMs }) => objectiveMs !== undefined && pauseMs <= objectiveMs * WORTH);
  const shortestMs = Math.min(...possible.map(({ pauseMs }) => pauseMs));
  const chosen = meets ?? possible.find(({ pauseMs }) => pauseMs * WORTH <= shortestMs);
  if (!chosen) throw new Error('nothing to choose from');
  return chosen;
}

function isPossible(estimate: StrategyEstimate): estimate is StrategyEstimate & { readonly pauseMs: number } {
  return estimate.pauseMs !== undefined;
}
