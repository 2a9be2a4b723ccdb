import type { Host } from '../host/host.ts';
import { runScript } from '../host/shell.ts';
import type { TransferProgress } from './progress.ts';

/** Prints how many bytes of memory have come, each second, as long as somebody reads it. Argument: the images' directory. */
const FOLLOW_SCRIPT = `
while sleep 1 && [ -d "$1" ]; do
  stat -c %s "$1"/pages-*.img 2> /dev/null | awk '{ sum += $1 } END { print sum + 0 }' || exit 0
done
`;

/** Tells each second how much of the memory has come to a directory of images, until it is aborted. Never throws. */
export async function followMemory(
  host: Host,
  imagesDirectory: string,
  totalBytes: number,
  onProgress: (progress: TransferProgress) => void,
  signal: AbortSignal,
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
  await runScript(host, FOLLOW_SCRIPT, [imagesDirectory], options).catch(() => undefined);
}
