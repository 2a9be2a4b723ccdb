import { expect, test } from 'vitest';
import { formatCompression } from '../../src/report/compression.ts';

const MIB = 1024 ** 2;

test('what was chosen is told with what was measured, or why nothing was', () => {
  expect(
    formatCompression({ chosen: 'zstd', bytesPerSecond: { none: 11 * MIB, lz4: 20 * MIB, zstd: 31 * MIB } }),
  ).toBe('zstd; memory that came in a second: none 11 MiB, lz4 20 MiB, zstd 31 MiB');
  expect(
    formatCompression({ chosen: 'lz4', bytesPerSecond: {}, unmeasured: 'perl \u001B[31mis missing' }),
  ).toBe('lz4; which is the fastest was not measured: perl is missing');
});
