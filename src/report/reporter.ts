import type { EmitEvent } from '../events/event.ts';

export type ReporterKind = 'tree' | 'plain' | 'json';

export const REPORTER_KINDS: readonly ReporterKind[] = ['tree', 'plain', 'json'];

/** Turns the events of one run into text. A function of the events: it decides nothing. */
export interface Reporter {
  readonly onEvent: EmitEvent;
  /** Says something that is no event, at once: on the error stream, or in the tree, which would draw over that. */
  tell(text: string): void;
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
  /** Takes the report, and nothing else. */
  readonly stream: ReportStream;
  /** Takes what is no part of the report. */
  readonly errorStream: ReportStream;
  readonly color: boolean;
  /** Milliseconds of a monotonic clock; tests put their own. */
  readonly now?: () => number;
  /** The time of day, for JSON. */
  readonly date?: () => Date;
}
