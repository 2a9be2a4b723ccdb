import type { Reporter, ReporterOptions } from './reporter.ts';
import { toSafeJson } from './sanitize.ts';

type JsonOptions = Pick<ReporterOptions, 'stream' | 'errorStream' | 'date'>;

/** One event a line, as JSON, with the time: for programs, and the shape of the journal's records. */
export function createJsonReporter(options: JsonOptions): Reporter {
  const { stream, errorStream, date = () => new Date() } = options;
  return {
    onEvent(event) {
      stream.write(`${toSafeJson({ at: date().toISOString(), ...event })}\n`);
    },
    tell(text) {
      errorStream.write(`criu-flow: ${text}\n`);
    },
    async finish() {
      // Every line is written as its event arrives.
    },
  };
}
