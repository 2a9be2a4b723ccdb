import type { SequenceForecast } from '../forecast/forecast-sequence.ts';
import { printable } from '../recipe/printable.ts';
import type { Paint } from '../report/format.ts';
import { runHeading } from '../report/run-heading.ts';
import { formatForecast } from './format-forecast.ts';

/**
 * What the runs of a sequence will do, each under its heading, without a line feed at the end.
 * @param more what is said below a run, by its number
 */
export function formatSequenceForecast(
  { name, file, digest, runs }: SequenceForecast,
  paint: Paint,
  more: (number: number) => string | undefined = () => undefined,
): string {
  const head = [
    paint('strong', printable(name)),
    `  recipe  ${printable(file)}`,
    `  runs    ${runs.length}, one after another: preflight asks for all before the first begins`,
    `  digest  ${digest}`,
  ];
  const blocks = runs.flatMap(({ number, title, forecast }) => [
    paint('strong', runHeading(number, runs.at(-1)?.number ?? number, title)),
    formatForecast(forecast, paint),
    ...[more(number) ?? []].flat(),
  ]);
  return [head.join('\n'), ...blocks].join('\n\n');
}
