import type { StrategyReport } from '../events/event.ts';
import { formatBytes, formatDuration } from './format.ts';
import { sanitizeLine } from './sanitize.ts';

/** What was chosen, and what of, in one line. */
export function formatStrategy(report: StrategyReport): string {
  const { chosen, estimates, bytesPerSecond } = report;
  const expected = estimates.map(
    ({ strategy, pauseMs }) =>
      `${strategy} ${pauseMs === undefined ? 'cannot be' : formatDuration(Math.round(pauseMs))}`,
  );
  return `${chosen}; downtime expected: ${expected.join(', ')}; ${formatBytes(bytesPerSecond)} of memory travel in a second`;
}

/** The same for the closing text, a row for each line. */
export function strategyRows({
  chosen,
  estimates,
  memoryBytes,
  bytesPerSecond,
  written,
}: StrategyReport): readonly (readonly [label: string, value: string])[] {
  const last = written.changed.at(-1);
  const changed =
    last === undefined ? '' : `, ${formatBytes(last.sizeBytes)} changed in ${formatDuration(last.withinMs)}`;
  return [
    ['strategy', `${sanitizeLine(chosen)}, chosen for the downtime that was expected:`],
    ...estimates.map(({ strategy, pauseMs, impossible = '' }) => {
      const value = pauseMs === undefined ? sanitizeLine(impossible) : formatDuration(Math.round(pauseMs));
      return ['', `${sanitizeLine(strategy).padEnd(13)}  ${value}`] as const;
    }),
    [
      '',
      `from: ${formatBytes(memoryBytes)} of memory${changed}; ${formatBytes(bytesPerSecond)} of it travel in a second`,
    ],
  ];
}
