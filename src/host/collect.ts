/** How much of each output stream a result keeps, in bytes: enough for any answer, little enough for any log. */
export const outputLimitBytes: number = 1024 * 1024;

/** Keeps the first bytes of a stream, for standard output: an answer begins at its beginning. */
export class HeadBuffer {
  readonly #chunks: Buffer[] = [];
  #free: number;

  /** @param limitBytes bytes to keep; what comes after them is dropped. */
  constructor(limitBytes: number = outputLimitBytes) {
    this.#free = limitBytes;
  }

  push(chunk: Buffer): void {
    if (this.#free === 0 || chunk.length === 0) return;
    const kept = chunk.subarray(0, this.#free);
    this.#free -= kept.length;
    this.#chunks.push(kept);
  }

  toBuffer(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/** Keeps the last bytes of a stream, for standard error: what made a program give up is said last. */
export class TailBuffer {
  #chunks: Buffer[] = [];
  #size = 0;
  readonly #limit: number;

  /** @param limitBytes bytes to keep; what came before them is dropped. */
  constructor(limitBytes: number = outputLimitBytes) {
    this.#limit = limitBytes;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    // Compacted at twice the limit, not on each chunk, so that the cost per byte stays constant.
    if (this.#size > 2 * this.#limit) this.#compact();
  }

  toBuffer(): Buffer {
    this.#compact();
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  #compact(): void {
    const all = Buffer.concat(this.#chunks);
    // A copy, so that a view does not keep the whole of a large buffer alive.
    const kept = Buffer.from(all.subarray(Math.max(0, all.length - this.#limit)));
    this.#chunks = [kept];
    this.#size = kept.length;
  }
}
