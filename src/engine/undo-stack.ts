import type { FailureData } from '../events/event.ts';
import type { EmitEvent } from '../events/event.ts';
import { toFailureData } from '../events/failure-data.ts';

interface Undo {
  readonly title: string;
  readonly run: () => Promise<void>;
  /** Not to be repeated: a recipe's own command. What is ours looks at the host for the truth each time. */
  readonly isOnce: boolean;
}

/** What has to be taken back, last in, first out. An undo is pushed before its effect begins. */
export class UndoStack {
  readonly #undos: Undo[] = [];

  push(title: string, run: () => Promise<void>, isOnce = false): void {
    this.#undos.push({ title, run, isOnce });
  }

  /** After the commit point there is nothing to go back to. */
  clear(): void {
    this.#undos.length = 0;
  }

  /** Drops, from the last one on, those that were done before and must not be again, by their titles. */
  forget(done: readonly string[]): void {
    for (const title of done) {
      const at = this.#undos.findLastIndex((undo) => undo.isOnce && undo.title === title);
      if (at !== -1) this.#undos.splice(at, 1);
    }
  }

  /**
   * Runs every undo in reverse, going on past those that fail, but not past the commit point. @returns the failures, in order.
   */
  async rollBack(emit: EmitEvent, reason: FailureData): Promise<FailureData[]> {
    const undos = this.#undos.splice(0).toReversed();
    emit({ kind: 'rollback-started', reason, actions: undos.map((undo) => undo.title) });
    const failures: FailureData[] = [];
    for (const undo of undos) {
      const beganAt = performance.now();
      emit({ kind: 'undo-started', action: undo.title });
      const failure = await attempt(undo.run);
      if (failure) failures.push(failure);
      emit({
        kind: 'undo-finished',
        action: undo.title,
        durationMs: performance.now() - beganAt,
        ...(failure ? { failure } : {}),
      });
      // What comes next would be done to a source whose copy has ended: a `rollback` command could start a second one.
      if (failure?.code === 'RESUME_REFUSED') break;
    }
    return failures;
  }
}

/** @returns the failure, or undefined. */
export async function attempt(run: () => Promise<void>): Promise<FailureData | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    return toFailureData(error);
  }
}
