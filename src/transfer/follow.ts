import type { Host } from '../host/host.ts';
import { runScript } from '../host/shell.ts';
import type { TransferProgress } from './progress.ts';

/** Prints how many bytes of memory have come, each second, as long as somebody reads it. Argument: the images' directory. */
const IMAGES_SCRIPT = `
while sleep 1 && [ -d "$1" ]; do
  stat -c %s "$1"/pages-*.img 2> /dev/null | awk '{ sum += $1 } END { print sum + 0 }' || exit 0
done
`;

/**
 * The same of memory that processes have for themselves. Arguments: the pids, the root's first.
 * @see proc_pid_status(5), RssAnon
 */
const PROCESSES_SCRIPT = `
while sleep 1 && [ -d "/proc/$1" ]; do
  for pid; do cat "/proc/$pid/status"; done 2> /dev/null |
    awk '/^RssAnon:/ { sum += $2 } END { printf "%.0f\\n", 1024 * sum }' || exit 0
done
`;

interface Following {
  /** Of all that is to come. */
  readonly totalBytes: number;
  readonly onProgress: (progress: TransferProgress) => void;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** Tells each second how much of the memory has come to a directory of images. Never throws. */
export async function followImages(host: Host, directory: string, following: Following): Promise<void> {
  await follow(host, IMAGES_SCRIPT, [directory], following);
}

/** Tells each second how much of their memory processes have that fetch it. Never throws. */
export async function followFetch(host: Host, pids: readonly number[], following: Following): Promise<void> {
  await follow(host, PROCESSES_SCRIPT, pids.map(String), following);
}

async function follow(
  host: Host,
  script: string,
  args: readonly string[],
  { totalBytes, onProgress, signal }: Following,
): Promise<void> {
  let before = 0;
  const onLine = (line: string): void => {
    const doneBytes = Number(line);
    const bytesPerSecond = Math.max(0, doneBytes - before);
    before = doneBytes;
    const remainingMs =
      bytesPerSecond > 0 ? (Math.max(0, totalBytes - doneBytes) / bytesPerSecond) * 1000 : undefined;
    onProgress({ doneBytes, bytesPerSecond, remainingMs });
  };
  const options = { timeoutMs: 24 * 3_600_000, signal, onLine };
  await runScript(host, script, args, options).catch(() => undefined);
}
