import { FlowError } from '../errors/flow-error.ts';
import type { FailureData } from '../events/event.ts';
import type { EmitEvent } from '../events/event.ts';
import { toFailureData } from '../events/failure-data.ts';

/**
 * Milliseconds for a whole rollback. A criu that is aborted while it writes tens of gigabytes may need minutes; a host that
 * does not answer takes seconds.
 */
const ROLLBACK_MS = 600_000;

/** Milliseconds that an undo gets, however long those before it took: each puts something else right. */
const LEAST_UNDO_MS = 30_000;

interface RollbackLimits {
  readonly timeoutMs?: number;
  readonly leastMs?: number;
}

interface Undo {
  /** Unique in the run, and the same in each attempt of it. */
  readonly id: string;
  readonly title: string;
  readonly run: () => Promise<void>;
  /** Not to be repeated: a recipe's own command. What is ours looks at the host for the truth each time. */
  readonly isOnce: boolean;
}

/** What has to be taken back, last in, first out. An undo is pushed before its effect begins. */
export class UndoStack {
  readonly #undos: Undo[] = [];

  push(undo: Undo): void {
    this.#undos.push(undo);
  }

  /** After the commit point there is nothing to go back to. */
  clear(): void {
    this.#undos.length = 0;
  }

  /** Drops those that were done before and must not be again, by their ids. */
  forget(done: ReadonlySet<string>): void {
    const kept = this.#undos.filter(({ id, isOnce }) => !(isOnce && done.has(id)));
    this.#undos.splice(0, Infinity, ...kept);
  }

  /**
   * Runs every undo in reverse, going on past those that fail, but not past the commit point. One whose time is over has
   * failed with TIMEOUT.
   * @param timeoutMs for all of them together
   * @returns the failures, in order
   */
  async rollBack(
    emit: EmitEvent,
    reason: FailureData,
    { timeoutMs = ROLLBACK_MS, leastMs = LEAST_UNDO_MS }: RollbackLimits = {},
  ): Promise<FailureData[]> {
    const deadlineMs = performance.now() + timeoutMs;
    const undos = this.#undos.splice(0).toReversed();
    emit({ kind: 'rollback-started', reason, actions: undos.map((undo) => undo.title) });
    const failures: FailureData[] = [];
    for (const undo of undos) {
      const beganAt = performance.now();
      emit({ kind: 'undo-started', action: undo.title });
      const undoMs = Math.max(leastMs, deadlineMs - beganAt);
      const failure = await attempt(() => withDeadline(undo, undoMs));
      if (failure) failures.push(failure);
      emit({
        kind: 'undo-finished',
        undoId: undo.id,
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

/** What it waits for goes on in vain, until the connections are closed at the end of the run. */
async function withDeadline({ title, run }: Undo, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new FlowError('TIMEOUT', `“${title}” took longer than ${Math.round(timeoutMs / 1000)} s`, {
          hint: 'Look at what the host is waiting for, then roll back again.',
        }),
      );
    }, timeoutMs);
  });
  try {
    await Promise.race([run(), late]);
  } finally {
    clearTimeout(timer);
  }
}
