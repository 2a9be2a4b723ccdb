import { describe, expect, test } from 'vitest';
import type { PreCopyRound } from '../../src/events/event.ts';
import {
  expectedDowntimeMs,
  LEAST_PROGRESS,
  LEAST_PROGRESS_BEFORE,
  whyStop,
} from '../../src/steps/pre-copy-rule.ts';

const MIB = 1024 * 1024;
const round = (sizeMiB: number, dumpMs = 100, sendMs = 200): PreCopyRound => ({
  sizeBytes: sizeMiB * MIB,
  dumpMs,
  sendMs,
});

test('the pause is what the last round took, and what it takes to rebuild all of the memory', () => {
  const tracked = { isTracked: true, memoryBytes: 1024 * MIB };
  expect(expectedDowntimeMs([round(1024, 1000, 9000)], tracked)).toBe(11_000);
  const rounds = [round(1024, 1000, 9000), round(20, 80, 300)];
  expect(expectedDowntimeMs(rounds, tracked)).toBe(1380);
  // The first one may have waited for the link.
  const compared = [round(1024, 9000, 0), round(20, 800, 0)];
  expect(expectedDowntimeMs(compared, { ...tracked, isTracked: false })).toBe(1800);
});

describe('there is no other round', () => {
  const rule = {
    ...{ most: 8, before: 0, leastProgress: LEAST_PROGRESS },
    ...{ roomBytes: 1024 ** 4, inPauseBytes: 0, isTracked: true, memoryBytes: 1024 * MIB },
  };

  test('when the objective can be met, be it after the first', () => {
    const rounds = [round(1024, 1000, 9000)];
    expect(whyStop(rounds, { ...rule, objectiveMs: 11_000 })).toBe('objective');
    expect(whyStop(rounds, { ...rule, objectiveMs: 10_999 })).toBeUndefined();
    expect(whyStop(rounds, { ...rule, objectiveMs: undefined })).toBeUndefined();
  });

  test('when next to nothing was written to', () => {
    expect(whyStop([round(64), round(0.2)], { ...rule, objectiveMs: undefined })).toBe('nothing-left');
    expect(whyStop([round(0)], { ...rule, objectiveMs: 1 })).toBe('nothing-left');
  });

  test('when it would be about as large as the last one', () => {
    expect(whyStop([round(64), round(60)], { ...rule, objectiveMs: 1 })).toBe('no-progress');
    expect(whyStop([round(64), round(70)], { ...rule, objectiveMs: undefined })).toBe('no-progress');
    expect(whyStop([round(64), round(50)], { ...rule, objectiveMs: 1 })).toBeUndefined();
    expect(
      whyStop([round(64), round(50)], { ...rule, objectiveMs: 1, leastProgress: LEAST_PROGRESS_BEFORE }),
    ).toBe('no-progress');
  });

  test('when it catches up no more with what was written while all else was made ready', () => {
    const after = { ...rule, before: 2, objectiveMs: 1 };
    expect(whyStop([round(64), round(20), round(90)], after)).toBeUndefined();
    expect(whyStop([round(64), round(20), round(90), round(40)], after)).toBeUndefined();
    expect(whyStop([round(64), round(20), round(90), round(85)], after)).toBe('no-progress');
  });

  test('when no more are allowed', () => {
    expect(whyStop([round(64), round(30)], { ...rule, most: 2, objectiveMs: 1 })).toBe('limit');
    expect(whyStop([round(64)], { ...rule, most: 1, objectiveMs: undefined })).toBe('limit');
  });

  test('when the disk has no room for another one, and for what is left', () => {
    const full = { ...rule, objectiveMs: 1, roomBytes: 128 * MIB };
    expect(whyStop([round(64)], full)).toBeUndefined();
    expect(whyStop([round(64)], { ...full, roomBytes: 128 * MIB - 1 })).toBe('no-room');
    expect(whyStop([round(64)], { ...full, inPauseBytes: 1 })).toBe('no-room');
  });
});
