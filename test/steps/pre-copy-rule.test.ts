import { describe, expect, test } from 'vitest';
import type { PreCopyRound } from '../../src/events/event.ts';
import { expectedDowntimeMs, whyStop } from '../../src/steps/pre-copy-rule.ts';

const MIB = 1024 * 1024;
const round = (sizeMiB: number, dumpMs = 100, sendMs = 200): PreCopyRound => ({
  sizeBytes: sizeMiB * MIB,
  dumpMs,
  sendMs,
});

test('the pause is what the last round took, and what it takes to rebuild all of the memory', () => {
  expect(expectedDowntimeMs([round(1024, 1000, 9000)])).toBe(11_000);
  expect(expectedDowntimeMs([round(1024, 1000, 9000), round(20, 80, 300)])).toBe(1380);
});

describe('there is no other round', () => {
  const most = 8;

  test('when the objective can be met, be it after the first', () => {
    const rounds = [round(1024, 1000, 9000)];
    expect(whyStop(rounds, { most, objectiveMs: 11_000 })).toBe('objective');
    expect(whyStop(rounds, { most, objectiveMs: 10_999 })).toBeUndefined();
    expect(whyStop(rounds, { most, objectiveMs: undefined })).toBeUndefined();
  });

  test('when next to nothing was written to', () => {
    expect(whyStop([round(64), round(0.2)], { most, objectiveMs: undefined })).toBe('nothing-left');
    expect(whyStop([round(0)], { most, objectiveMs: 1 })).toBe('nothing-left');
  });

  test('when it would be about as large as the last one', () => {
    expect(whyStop([round(64), round(60)], { most, objectiveMs: 1 })).toBe('no-progress');
    expect(whyStop([round(64), round(70)], { most, objectiveMs: undefined })).toBe('no-progress');
    expect(whyStop([round(64), round(50)], { most, objectiveMs: 1 })).toBeUndefined();
  });

  test('when no more are allowed', () => {
    expect(whyStop([round(64), round(30)], { most: 2, objectiveMs: 1 })).toBe('limit');
    expect(whyStop([round(64)], { most: 1, objectiveMs: undefined })).toBe('limit');
  });
});
