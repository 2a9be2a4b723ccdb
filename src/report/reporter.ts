import type { EmitEvent } from '../events/event.ts';
import { createJsonReporter } from './json.ts';
import { createPlainReporter } from './plain.ts';

export type ReporterKind = 'tree' | 'plain' | 'json';

export const REPORTER_KINDS: readonly ReporterKind[] = ['tree', 'plain', 'json'];

/** Turns the events of one run into text. A function of the events: it decides nothing. */
export interface Reporter {
  readonly onEvent: EmitEvent;
  /** Resolves when all is written. Call it once, after the last event, also when the run threw. */
  finish(): Promise<void>;
}

/** The part of a stream that reporters use. */
export interface ReportStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export interface ReporterOptions {
  readonly kind: ReporterKind;
  readonly stream: ReportStream;
  readonly isTty: boolean;
  readonly color: boolean;
  /** For the commands to paste. */
  readonly sshConfigFile?: string | undefined;
  /** Milliseconds of a monotonic clock; tests put their own. */
  readonly now?: () => number;
  /** The time of day, for JSON. */
  readonly date?: () => Date;
}

/** Narrower than this a redrawn list wraps to rubbish; a pty without a size says 0 columns. */
const MIN_TREE_COLUMNS = 40;

/** Tree for people at a terminal, plain lines for logs. */
export function chooseReporter(env: Readonly<NodeJS.ProcessEnv>, stream: ReportStream): ReporterKind {
  if (env['NO_COLOR'] || env['CI'] || env['TERM'] === 'dumb') return 'plain';
  return canShowTree(stream) ? 'tree' : 'plain';
}

/** A tree that was asked for becomes plain lines where it could not be drawn. */
export async function createReporter(options: ReporterOptions): Promise<Reporter> {
  const { kind, stream, isTty } = options;
  if (kind === 'json') return guard(createJsonReporter(options), stream);
  if (kind === 'plain' || !isTty || !canShowTree(stream)) return guard(createPlainReporter(options), stream);
  // listr2 is loaded only for those who see it.
  const { createTreeReporter } = await import('./tree.ts');
  return guard(createTreeReporter({ ...options, stream }), stream);
}

/** A terminal, and thus a tty.WriteStream, that is wide enough. */
function canShowTree(stream: ReportStream): stream is NodeJS.WriteStream {
  return stream.isTTY === true && (stream.columns ?? 80) >= MIN_TREE_COLUMNS;
}

/** A mistake in a reporter must never stop a migration half-way: it is reported once, and the run goes on. */
function guard(reporter: Reporter, stream: ReportStream): Reporter {
  let broken = false;
  const complain = (error: unknown) => {
    if (broken) return;
    broken = true;
    stream.write(`The reporter failed, the run goes on: ${String(error)}\n`);
  };
  return {
    onEvent(event) {
      try {
        reporter.onEvent(event);
      } catch (error) {
        complain(error);
      }
    },
    async finish() {
      await reporter.finish().catch(complain);
    },
  };
}
