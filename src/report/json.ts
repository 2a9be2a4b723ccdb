import type { Reporter, ReporterOptions } from './reporter.ts';
import { toSafeJson } from './sanitize.ts';

type JsonOptions = Pick<ReporterOptions, 'stream' | 'date'>;

/** One event a line, as JSON, with the time: for programs, and the shape of the journal's records. */
export function createJsonReporter({ stream, date = () => new Date() }: JsonOptions): Reporter {
  return {
    onEvent(event) {
      stream.write(`${toSafeJson({ at: date().toISOString(), ...event })}\n`);
    },
    async finish() {
      // Every line is written as its event arrives.
    },
  };
}
