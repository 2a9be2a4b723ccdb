import type { SequenceEvent } from '../events/sequence-event.ts';
import { formatCheck } from './format-check.ts';
import { createPaint } from './format.ts';
import type { ReporterOptions } from './reporter.ts';
import { runHeading } from './run-heading.ts';
import { sanitizeLine, toSafeJson } from './sanitize.ts';
import { formatSequenceSummary } from './sequence-summary.ts';

/**
 * What a sequence says besides what the reporters of its runs say: lines of JSON like theirs, or text between theirs.
 * @returns what takes its events
 */
export function createSequenceReporter(options: ReporterOptions): (event: SequenceEvent) => void {
  const { kind, stream, color, date = () => new Date() } = options;
  if (kind === 'json') {
    return (event) => stream.write(`${toSafeJson({ at: date().toISOString(), ...event })}\n`);
  }
  const paint = createPaint(color);
  let count = 0;
  const heading = (number: number, title: string): string =>
    paint('strong', runHeading(number, count, title));
  return (event) => {
    switch (event.kind) {
      case 'sequence-started': {
        count = event.runs.length;
        const checked = count - event.from + 1;
        stream.write(
          `${paint('strong', sanitizeLine(event.name))}: ${checked === 1 ? '1 run is' : `${checked} runs are`} checked before anything is touched.\n`,
        );
        return;
      }
      case 'sequence-run-checked':
        stream.write(`\n${heading(event.number, event.title)}\n${formatCheck(event.check, paint)}\n`);
        return;
      case 'sequence-run-started':
        stream.write(`\n${heading(event.number, event.title)}\n`);
        return;
      case 'sequence-finished':
        stream.write(`\n${formatSequenceSummary(event.summary, paint)}\n`);
    }
  };
}
