import { expect, test } from 'vitest';
import { parseRsyncProgress } from '../../src/transfer/progress.ts';

test.each([
  [
    '     33554432  50%  190.48MB/s    0:00:01 (xfr#1, to-chk=3/5)',
    { doneBytes: 33_554_432, bytesPerSecond: 190.48e6, remainingMs: 1000 },
  ],
  [
    '          512 100%    0.00kB/s    1:02:03 (xfr#9)',
    { doneBytes: 512, bytesPerSecond: 0, remainingMs: 3_723_000 },
  ],
  ['            0   0%    0.00B/s  ??:??:??', { doneBytes: 0, bytesPerSecond: 0, remainingMs: undefined }],
])('%s', (line, progress) => {
  expect(parseRsyncProgress(line)).toEqual(progress);
});

test('other lines are no progress', () => {
  expect(parseRsyncProgress('sending incremental file list')).toBeUndefined();
  expect(parseRsyncProgress('')).toBeUndefined();
});
