import type { MeasuredWorkload, Strategy, StrategyEstimate } from '../events/event.ts';
import { CRIU_MS_PER_MIB, LEAST_BYTES, LEAST_PROGRESS } from './pre-copy-rule.ts';

const MIB = 1024 * 1024;

/** Milliseconds for each MiB of the memory that is only looked at: to find its pages, and to make a place for them. */
export const LOOK_MS_PER_MIB: number = 100 / 1024;

/**
 * What is left of the pause that was measured in docs/performance.md, 0.4 s for 64 MiB between two hosts that share a machine,
 * when what criu takes for the memory is taken off: starting criu twice, digests, and the disk.
 */
export const FIXED_MS = 275;

/** Milliseconds for each MiB of memory that is compared with the rounds before: 0.7 where all is cached, 1.4 where not. */
const COMPARE_MS_PER_MIB = 1000 / 1024;

/** Milliseconds that a round of pre-copy takes besides the memory: to start criu, rsync and sha256sum. */
const ROUND_MS = 300;

/**
 * How long the pause would be, in milliseconds.
 * @param rounds of pre-copy, at most
 */
export function expectedPauseMs(strategy: Strategy, measured: MeasuredWorkload, rounds: number): number {
  const { privateBytes, sharedBytes, hugePagesBytes, isTracked } = measured;
  // No strategy moves this but in the pause.
  const untracked = sharedBytes + hugePagesBytes;
  const all = privateBytes + untracked;
  const lookMs = (privateBytes / MIB) * LOOK_MS_PER_MIB;
  switch (strategy) {
    case 'stop-and-copy':
      return FIXED_MS + criuMs(all) + sendMs(all, measured) + criuMs(all);
    case 'pre-copy': {
      const left = leftAfterRounds(measured, rounds) + untracked;
      const dumpMs = isTracked ? lookMs + criuMs(left) : compareMs(privateBytes) + criuMs(left);
      return FIXED_MS + dumpMs + sendMs(left, measured) + criuMs(all);
    }
    case 'post-copy':
      return FIXED_MS + lookMs + criuMs(untracked) + sendMs(untracked, measured) + criuMs(untracked);
  }
}

function criuMs(bytes: number): number {
  return (bytes / MIB) * CRIU_MS_PER_MIB;
}

function compareMs(bytes: number): number {
  return (bytes / MIB) * COMPARE_MS_PER_MIB;
}

/**
 * Bytes that the workload has written to since the last round began. The rounds end as those of {@link whyStop} do, and catch up with
 * what was written while all else was made ready.
 */
function leftAfterRounds(measured: MeasuredWorkload, most: number): number {
  let size = measured.privateBytes;
  for (let round = 1; round < most && size >= LEAST_BYTES; round++) {
    const next = writtenWithin(roundMs(size, measured), measured);
    const isLast = next > size * (1 - LEAST_PROGRESS);
    size = Math.min(size, next);
    if (isLast) break;
  }
  return writtenWithin(roundMs(size, measured), measured);
}

/** What is not tracked is read again, all of it; of what is shared each round has all. */
function roundMs(bytes: number, measured: MeasuredWorkload): number {
  const { isTracked, privateBytes, sharedBytes } = measured;
  const carried = bytes + (isTracked ? sharedBytes : 0);
  return ROUND_MS + criuMs(isTracked ? carried : privateBytes) + sendMs(carried, measured);
}

function sendMs(bytes: number, { bytesPerSecond }: MeasuredWorkload): number {
  return (1000 * bytes) / bytesPerSecond;
}

/** Between what was measured, in proportion; beyond it, as much more in the same time as between the last two. */
function writtenWithin(ms: number, { changed, privateBytes }: MeasuredWorkload): number {
  const points = [{ withinMs: 0, sizeBytes: 0 }, ...changed];
  const after = points.findIndex(({ withinMs }) => withinMs >= ms);
  const to = after === -1 ? points.length - 1 : Math.max(1, after);
  const [before, last] = [points[to - 1], points[to]];
  // A workload with no memory of its own writes to none.
  if (!before || !last) return 0;
  const perMs = (last.sizeBytes - before.sizeBytes) / Math.max(1, last.withinMs - before.withinMs);
  return Math.min(privateBytes, before.sizeBytes + perMs * (ms - before.withinMs));
}

/** To be chosen before a simpler one, the pause must be shorter by more than the estimates are wrong, and than anybody minds. */
const WORTH = 0.8;
const WORTH_MS = 100;

/** The part of the objective that may be expected to be used. */
const MARGIN = 0.9;

/**
 * Which strategy is taken: the first that meets the objective; else the first of those whose pause is about the shortest.
 * @param estimates of all, the simplest first
 */
export function chooseOf(
  estimates: readonly StrategyEstimate[],
  objectiveMs: number | undefined,
): StrategyEstimate & { readonly pauseMs: number } {
  const possible = estimates.filter(isPossible);
  const meets = possible.find(({ pauseMs }) => objectiveMs !== undefined && pauseMs <= objectiveMs * MARGIN);
  const shortestMs = Math.min(...possible.map(({ pauseMs }) => pauseMs));
  const chosen =
    meets ??
    possible.find(({ pauseMs }) => pauseMs * WORTH <= shortestMs || pauseMs - WORTH_MS <= shortestMs);
  if (!chosen) throw new Error('nothing to choose from');
  return chosen;
}

function isPossible(estimate: StrategyEstimate): estimate is StrategyEstimate & { readonly pauseMs: number } {
  return estimate.pauseMs !== undefined;
}
