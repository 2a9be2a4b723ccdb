import type { StrategyReport } from '../events/event.ts';
import { formatBytes, formatDuration } from './format.ts';
import { sanitizeLine } from './sanitize.ts';

/** What was chosen, and what of, in one line. */
export function formatStrategy({ chosen, estimates }: StrategyReport): string {
  const expected = estimates.map(
    ({ strategy, pauseMs }) =>
      `${strategy} ${pauseMs === undefined ? 'cannot be' : formatDuration(Math.round(pauseMs))}`,
  );
  const of = expected.length === 0 ? '' : `; downtime expected: ${expected.join(', ')}`;
  return sanitizeLine(`${chosen}${of}`);
}

/** The same for the closing text, a row for each line. */
export function strategyRows({
  chosen,
  estimates,
  measured,
}: StrategyReport): readonly (readonly [label: string, value: string])[] {
  if (!measured) return [['strategy', sanitizeLine(chosen)]];
  const { privateBytes, sharedBytes, hugePagesBytes, changed, bytesPerSecond, isTracked } = measured;
  const last = changed.at(-1);
  const from = [
    `${formatBytes(privateBytes + sharedBytes + hugePagesBytes)} of memory`,
    ...(sharedBytes + hugePagesBytes > 0
      ? [`${formatBytes(sharedBytes + hugePagesBytes)} of them shared or huge pages`]
      : []),
    ...(last ? [`${formatBytes(last.sizeBytes)} changed in ${formatDuration(last.withinMs)}`] : []),
    `${formatBytes(bytesPerSecond)} travel in a second`,
    ...(isTracked ? [] : ['changes are found by comparing']),
  ];
  return [
    ['strategy', `${sanitizeLine(chosen)}, chosen for the downtime that was expected:`],
    ...estimates.map(({ strategy, pauseMs, impossible = '' }) => {
      const value = pauseMs === undefined ? sanitizeLine(impossible) : formatDuration(Math.round(pauseMs));
      return ['', `${sanitizeLine(strategy).padEnd(13)}  ${value}`] as const;
    }),
    ['', `from: ${from.join(', ')}`],
  ];
}
