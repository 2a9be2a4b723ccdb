import type { Compression, CompressionReport } from '../events/event.ts';
import { formatBytes } from './format.ts';
import { sanitizeLine } from './sanitize.ts';

const TRIED: readonly Compression[] = ['none', 'lz4', 'zstd'];

/** What was chosen, and why, in one line. */
export function formatCompression({ chosen, bytesPerSecond, unmeasured }: CompressionReport): string {
  if (unmeasured !== undefined)
    return sanitizeLine(`${chosen}; which is the fastest was not measured: ${unmeasured}`);
  const rates = TRIED.flatMap((compression) => {
    const rate = bytesPerSecond[compression];
    return rate === undefined ? [] : [`${compression} ${formatBytes(rate)}`];
  });
  return `${chosen}; memory that came in a second: ${rates.join(', ')}`;
}
