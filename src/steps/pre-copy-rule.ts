import type { PreCopyReport, PreCopyRound } from '../events/event.ts';

/** Milliseconds for a MiB: criu writes and reads about 1 GiB in a second. */
export const CRIU_MS_PER_MIB: number = 1000 / 1024;

/** Of memory: to copy less takes as long as the rest of a round. */
export const LEAST_BYTES: number = 256 * 1024;

/** A round must be so much smaller than the one before: the next one costs time too, and wears the workload. */
export const LEAST_PROGRESS = 0.1;

/** The same as long as something else comes between, in which the workload writes more than that saves. */
export const LEAST_PROGRESS_BEFORE = 0.3;

/**
 * How long the pause would be if the workload was frozen after these rounds, in milliseconds: a dump and a transfer as in the last one, while which
 * it writes no more than it did then; and all of the memory is rebuilt, about as fast as the first round was written. Without tracking the dump is
 * as a round, for which all of the memory is read; the first of them may have waited for the link.
 */
export function expectedDowntimeMs(
  rounds: readonly PreCopyRound[],
  { isTracked, memoryBytes }: Pick<Rule, 'isTracked' | 'memoryBytes'>,
): number {
  const [first, last] = [rounds[0], rounds.at(-1)];
  if (!first || !last) return 0;
  const rebuildMs = isTracked ? first.dumpMs : (memoryBytes / 1024 ** 2) * CRIU_MS_PER_MIB;
  return last.dumpMs + last.sendMs + rebuildMs;
}

export interface Rule {
  /** Whether the kernel tracks what is written to: else the dump has all of the memory, and is compared with the rounds. */
  readonly isTracked: boolean;
  readonly memoryBytes: number;
  /** Memory that is in the pause only. */
  readonly inPauseBytes: number;
  /** How many at most. */
  readonly most: number;
  /** How many had been made when all else was done that the pause would wait for: what was written to meanwhile is no lack of progress. */
  readonly before: number;
  /** By which part a round must be smaller than the one before. */
  readonly leastProgress: number;
  readonly objectiveMs: number | undefined;
  /** What is free on the host that has less. */
  readonly roomBytes: number;
}

/**
 * Why there is to be no other round, at first before all else is done that the pause would wait for, and then after it.
 * @returns undefined when there is to be one
 */
export function whyStop(
  rounds: readonly PreCopyRound[],
  { most, before, leastProgress, objectiveMs, roomBytes, inPauseBytes, isTracked, memoryBytes }: Rule,
): PreCopyReport['stoppedBy'] | undefined {
  const [last, lastButOne] = rounds.slice(before).toReversed();
  if (rounds.length >= most) return 'limit';
  if (!last) return undefined;
  if (objectiveMs !== undefined && expectedDowntimeMs(rounds, { isTracked, memoryBytes }) <= objectiveMs)
    return 'objective';
  if (last.sizeBytes < LEAST_BYTES) return 'nothing-left';
  if (lastButOne && last.sizeBytes > lastButOne.sizeBytes * (1 - leastProgress)) return 'no-progress';
  // That of the next one, and of what is left for the pause.
  return roomBytes < 2 * last.sizeBytes + inPauseBytes ? 'no-room' : undefined;
}
