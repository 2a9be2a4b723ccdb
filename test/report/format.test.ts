import { expect, test } from 'vitest';
import {
  createPaint,
  formatBytes,
  formatDuration,
  formatProgress,
  formatUpperBound,
  wantsColor,
} from '../../src/report/format.ts';

const MiB = 1024 * 1024;

test.each([
  [0, '0 ms'],
  [312.4, '312 ms'],
  [2300, '2.3 s'],
  [65_400, '1 m 5.4 s'],
  [-1, '0 ms'],
  [Number.NaN, '0 ms'],
])('%d ms is %s', (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text);
});

test('an upper bound is never rounded down', () => {
  expect(formatUpperBound(431.2)).toBe('432 ms');
  expect(formatUpperBound(9999.9)).toBe('10000 ms');
  expect(formatUpperBound(12_301)).toBe('12.4 s');
});

test('bytes are in units of 1024', () => {
  expect([0, 1023, 1024, 31.25 * MiB, -1].map(formatBytes)).toEqual([
    '0 B',
    '1023 B',
    '1 KiB',
    '31.3 MiB',
    '0 B',
  ]);
});

test.each([
  [
    { doneBytes: 31 * MiB, bytesPerSecond: 210 * MiB, remainingMs: 157 },
    '31 MiB of 64 MiB · 210 MiB/s · 1 s left',
  ],
  [{ doneBytes: 2812, bytesPerSecond: 0, remainingMs: 0 }, '2.75 KiB of 64 MiB'],
  [{ doneBytes: 64 * MiB, bytesPerSecond: 210 * MiB, remainingMs: 5 }, '64 MiB of 64 MiB · 210 MiB/s'],
  [{ doneBytes: 0, bytesPerSecond: 1, remainingMs: undefined }, '0 B of 64 MiB · 1 B/s'],
])('%j', (reading, text) => {
  expect(formatProgress({ ...reading, totalBytes: 64 * MiB })).toBe(text);
});

test('colour is for terminals that show it, and never against NO_COLOR', () => {
  const terminal = { isTTY: true };
  expect(wantsColor({}, terminal)).toBe(true);
  expect(wantsColor({ NO_COLOR: '1' }, terminal)).toBe(false);
  expect(wantsColor({ TERM: 'dumb' }, terminal)).toBe(false);
  expect(wantsColor({}, {})).toBe(false);
  expect(createPaint(true)('bad', 'x')).toBe('\u001b[31mx\u001b[39m');
  expect(createPaint(false)('bad', 'x')).toBe('x');
});
