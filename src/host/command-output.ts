import { HeadBuffer, TailBuffer } from './collect.ts';
import type { CommandResult } from './host.ts';
import { LineSplitter } from './line-splitter.ts';

/** Collects what a command writes: the first MiB of standard output, the last of standard error, and the lines. */
export class CommandOutput {
  readonly #stdout = new HeadBuffer();
  readonly #stderr = new TailBuffer();
  readonly #lines: LineSplitter | undefined;
  #failures: unknown[] = [];

  constructor(onLine: ((line: string) => void) | undefined) {
    this.#lines = onLine === undefined ? undefined : new LineSplitter(onLine);
  }

  pushStdout(chunk: Buffer): void {
    this.#stdout.push(chunk);
    this.#guard(() => this.#lines?.push(chunk));
  }

  pushStderr(chunk: Buffer): void {
    this.#stderr.push(chunk);
  }

  /** No more output: hands over a last line that has no end. */
  end(): void {
    this.#guard(() => this.#lines?.end());
  }

  /** @throws what `onLine` threw first: inside a stream's handler it would have ended criu-flow. */
  toResult(exitCode: number): CommandResult {
    if (this.#failures.length > 0) throw this.#failures[0];
    return {
      exitCode,
      stdout: this.#stdout.toBuffer().toString(),
      stderr: this.#stderr.toBuffer().toString(),
    };
  }

  #guard(action: () => void): void {
    if (this.#failures.length > 0) return;
    try {
      action();
    } catch (error) {
      this.#failures.push(error);
    }
  }
}
