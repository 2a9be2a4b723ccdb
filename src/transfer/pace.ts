import { setTimeout as sleep } from 'node:timers/promises';

/** Holds what goes through this machine to a number of bytes in a second. */
export class Pace {
  readonly bytesPerSecond: number | undefined;
  #freeAtMs = 0;

  /** @param bytesPerSecond no limit when left out */
  constructor(bytesPerSecond?: number) {
    this.bytesPerSecond = bytesPerSecond;
  }

  /** Waits until so many bytes may be sent. Who asks first goes first. */
  async take(bytes: number): Promise<void> {
    if (this.bytesPerSecond === undefined) return;
    const now = performance.now();
    const begin = Math.max(now, this.#freeAtMs);
    this.#freeAtMs = begin + (1000 * bytes) / this.bytesPerSecond;
    if (begin > now) await sleep(begin - now);
  }
}
