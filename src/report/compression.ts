import type { Compression, CompressionReport } from '../events/event.ts';
import { formatBytes } from './format.ts';
import { sanitizeLine } from './sanitize.ts';

const TRIED: readonly Compression[] = ['none', 'lz4', 'zstd'];

/** What was chosen, and why, in one line. */
export function formatCompression({ chosen, bytesPerSecond, unmeasured }: CompressionReport): string {
  if (unmeasured !== undefined)
    return sanitizeLine(`${chosen}, since it could not be measured which is the fastest: ${unmeasured}`);
  const rates = TRIED.flatMap((compression) => {
    const rate = bytesPerSecond[compression];
    return rate === undefined ? [] : [`${compression} ${formatBytes(rate)}`];
  });
  if (rates.length === 0) return `${chosen}: the link is fast for so little memory`;
  return `${chosen}; memory that came in a second: ${rates.join(', ')}`;
}
