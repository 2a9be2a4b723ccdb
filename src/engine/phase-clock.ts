import type { Phase } from '../events/event.ts';

/** Adds up how long a run was in each phase, on the monotonic clock. */
export class PhaseClock {
  readonly #spentMs: Partial<Record<Phase, number>> = {};
  #current: { readonly phase: Phase; readonly sinceMs: number } | undefined;

  enter(phase: Phase): void {
    this.#leave();
    this.#current = { phase, sinceMs: performance.now() };
  }

  /** @returns milliseconds by phase. */
  finish(): Partial<Record<Phase, number>> {
    this.#leave();
    return this.#spentMs;
  }

  #leave(): void {
    if (!this.#current) return;
    const { phase, sinceMs } = this.#current;
    this.#spentMs[phase] = (this.#spentMs[phase] ?? 0) + performance.now() - sinceMs;
    this.#current = undefined;
  }
}
