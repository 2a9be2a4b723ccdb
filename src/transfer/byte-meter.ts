import type { TransferProgress } from './progress.ts';

/** Milliseconds between two readings. */
const EVERY_MS = 500;

/** Tells how far a transfer is as bytes come, twice a second at most. */
export class ByteMeter {
  readonly #totalBytes: number;
  readonly #onProgress: (progress: TransferProgress) => void;
  #doneBytes = 0;
  #told = { bytes: 0, atMs: performance.now() };

  constructor(totalBytes: number, onProgress: (progress: TransferProgress) => void) {
    this.#totalBytes = totalBytes;
    this.#onProgress = onProgress;
  }

  add(bytes: number): void {
    this.#doneBytes += bytes;
    const now = performance.now();
    const elapsedMs = now - this.#told.atMs;
    if (elapsedMs < EVERY_MS) return;
    const bytesPerSecond = ((this.#doneBytes - this.#told.bytes) / elapsedMs) * 1000;
    this.#told = { bytes: this.#doneBytes, atMs: now };
    const restBytes = Math.max(0, this.#totalBytes - this.#doneBytes);
    this.#onProgress({
      doneBytes: this.#doneBytes,
      bytesPerSecond,
      remainingMs: bytesPerSecond > 0 ? (restBytes / bytesPerSecond) * 1000 : undefined,
    });
  }
}
