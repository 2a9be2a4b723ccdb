/** One reading of rsync's progress meter. */
export interface TransferProgress {
  readonly doneBytes: number;
  readonly bytesPerSecond: number;
  /** Undefined until rsync has an estimate. */
  readonly remainingMs: number | undefined;
}

const UNITS: Readonly<Record<string, number>> = { B: 1, kB: 1000, MB: 1000 ** 2, GB: 1000 ** 3 };

/**
 * Reads a line of `rsync --info=progress2 --no-h`, for example
 * `     33554432  50%  190.48MB/s    0:00:01 (xfr#1, to-chk=3/5)`.
 * @see rsync(1), `--info=progress2`; the rate stays in decimal units whatever `--no-h` says.
 */
export function parseRsyncProgress(line: string): TransferProgress | undefined {
  const match = line.match(
    /^\s*(\d+)\s+\d+%\s+([\d.]+)([kMG]?B)\/s\s+(?:(\d+):(\d\d):(\d\d)|\?\?:\?\?:\?\?)/,
  );
  if (!match) return undefined;
  const [, done, rate, unit = 'B', hours, minutes, seconds] = match;
  return {
    doneBytes: Number(done),
    bytesPerSecond: Number(rate) * (UNITS[unit] ?? 1),
    remainingMs:
      hours === undefined
        ? undefined
        : (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000,
  };
}
