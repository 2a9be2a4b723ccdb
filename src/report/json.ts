import type { Reporter, ReporterOptions } from './reporter.ts';
import { toSafeJson } from './sanitize.ts';

/** One event a line, as JSON: for programs, and the shape of the journal. */
export function createJsonReporter({ stream }: Pick<ReporterOptions, 'stream'>): Reporter {
  return {
    onEvent(event) {
      stream.write(`${toSafeJson(event)}\n`);
    },
    async finish() {
      // Every line is written as its event arrives.
    },
  };
}
