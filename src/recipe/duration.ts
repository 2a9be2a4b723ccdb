/** Milliseconds in each unit that a duration may have. */
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** The longest duration: timers of Node.js end at 2^31 - 1 ms, a little over 596 hours. */
const MAX_DURATION_MS = 500 * 3_600_000;

/**
 * Milliseconds of `500ms`, `2s`, `5m` or `1h`.
 * @returns undefined for anything else, for zero, and for more than 500 hours.
 */
export function parseDuration(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,10})(ms|s|m|h)$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined) return undefined;
  const durationMs = Number(digits) * (UNIT_MS[unit] ?? 0);
  return durationMs > 0 && durationMs <= MAX_DURATION_MS ? durationMs : undefined;
}
