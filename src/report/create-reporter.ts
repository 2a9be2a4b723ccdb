import { createJsonReporter } from './json.ts';
import { createPlainReporter } from './plain.ts';
import type { Reporter, ReporterKind, ReporterOptions, ReportStream } from './reporter.ts';

/** Narrower than this a redrawn list wraps to rubbish; a pty without a size says 0 columns. */
const MIN_TREE_COLUMNS = 40;

/** Tree for people at a terminal, plain lines for logs. */
export function chooseReporter(env: Readonly<NodeJS.ProcessEnv>, stream: ReportStream): ReporterKind {
  if (env['NO_COLOR'] || env['CI'] || env['TERM'] === 'dumb') return 'plain';
  return canShowTree(stream) ? 'tree' : 'plain';
}

/** Makes the reporter of one run. A tree becomes plain lines where it could not be drawn. */
export async function createReporter(options: ReporterOptions): Promise<Reporter> {
  const { kind, stream, errorStream } = options;
  if (kind === 'json') return guard(createJsonReporter(options), errorStream);
  if (kind === 'plain' || !canShowTree(stream)) return guard(createPlainReporter(options), errorStream);
  // listr2 is loaded only for those who see it.
  const { createTreeReporter } = await import('./tree.ts');
  return guard(createTreeReporter({ ...options, stream }), errorStream);
}

/** A terminal, and thus a tty.WriteStream, that is wide enough. */
function canShowTree(stream: ReportStream): stream is NodeJS.WriteStream {
  return stream.isTTY === true && (stream.columns ?? 80) >= MIN_TREE_COLUMNS;
}

/** A mistake in a reporter must never stop a migration half-way: it is reported once, and the run goes on. */
function guard(reporter: Reporter, errorStream: ReportStream): Reporter {
  let broken = false;
  const complain = (error: unknown): void => {
    if (broken) return;
    broken = true;
    errorStream.write(`criu-flow: the report failed, the run goes on: ${String(error)}\n`);
  };
  const attempt = (report: () => void): void => {
    try {
      report();
    } catch (error) {
      complain(error);
    }
  };
  return {
    onEvent: (event) => attempt(() => reporter.onEvent(event)),
    tell: (text) => attempt(() => reporter.tell(text)),
    async finish() {
      await reporter.finish().catch(complain);
    },
  };
}
