import { styleText } from 'node:util';
import prettyBytes from 'pretty-bytes';
import prettyMs from 'pretty-ms';

/** For people: `312 ms`, `2.3 s`, `1 m 5.4 s`. */
export function formatDuration(milliseconds: number): string {
  const safe = Number.isFinite(milliseconds) ? Math.max(0, milliseconds) : 0;
  return prettyMs(safe).replaceAll(/(\d)([a-z]+)/g, '$1 $2');
}

/** For an upper bound: in milliseconds below ten seconds, and never rounded down. */
export function formatUpperBound(milliseconds: number): string {
  if (milliseconds < 10_000) return `${Math.ceil(milliseconds)} ms`;
  return formatDuration(Math.ceil(milliseconds / 100) * 100);
}

/** IEC units: `31.2 MiB`. */
export function formatBytes(bytes: number): string {
  return prettyBytes(Number.isFinite(bytes) ? Math.max(0, bytes) : 0, { binary: true });
}

export interface TransferReading {
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
  readonly remainingMs: number | undefined;
}

/** `31.2 MiB of 64 MiB · 210 MiB/s · 1 s left`. */
export function formatProgress(reading: TransferReading): string {
  const { doneBytes, totalBytes, bytesPerSecond, remainingMs = 0 } = reading;
  const parts = [`${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`];
  if (bytesPerSecond > 0) parts.push(`${formatBytes(bytesPerSecond)}/s`);
  // rsync says 0 while it does not know. Whole seconds, rounded up: nobody reads the rest.
  if (remainingMs > 0 && doneBytes < totalBytes) {
    parts.push(`${formatDuration(Math.ceil(remainingMs / 1000) * 1000)} left`);
  }
  return parts.join(' · ');
}

export type Tint = 'good' | 'bad' | 'warning' | 'strong' | 'faint';

/** Adds colour, or nothing. */
export type Paint = (tint: Tint, text: string) => string;

const STYLES = {
  good: 'green',
  bad: 'red',
  warning: 'yellow',
  strong: 'bold',
  faint: 'dim',
} as const satisfies Record<Tint, Parameters<typeof styleText>[0]>;

export function createPaint(color: boolean): Paint {
  if (!color) return (_, text) => text;
  // Whether the stream wants colour was decided by wantsColor(): styleText must not decide again from process.stdout.
  return (tint, text) => styleText(STYLES[tint], text, { validateStream: false });
}

/** Colour only on a terminal that can show it, and never against NO_COLOR. @see https://no-color.org */
export function wantsColor(
  env: Readonly<NodeJS.ProcessEnv>,
  stream: { readonly isTTY?: boolean | undefined },
): boolean {
  return stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
}
