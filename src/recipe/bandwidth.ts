/** Bytes a second in each unit that a bandwidth may have. */
const UNIT_BYTES: Readonly<Record<string, number>> = {
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  kbit: 125,
  Mbit: 125_000,
  Gbit: 125_000_000,
};

/** Of less, what ssh asks to see whether the other side is alive would come too late. */
const LEAST_BYTES = 125_000;

/** What the kernel takes for a limit: 32 bits. @see socket(7), SO_MAX_PACING_RATE in the kernel's include/net/sock.h */
const MOST_BYTES = 4 * 1024 ** 3 - 2;

/**
 * Bytes a second of `50MiB/s` or `400Mbit/s`.
 * @returns undefined for anything else, for less than 1 Mbit/s, and for 4 GiB/s and more
 */
export function parseBandwidth(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,10})([KMG]iB|[kMG]bit)\/s$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined) return undefined;
  const bytes = Number(digits) * (UNIT_BYTES[unit] ?? 0);
  return bytes >= LEAST_BYTES && bytes <= MOST_BYTES ? bytes : undefined;
}
