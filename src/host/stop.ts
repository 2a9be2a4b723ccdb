import { FlowError } from '../errors/flow-error.ts';

/** The limit of a command that names none, in milliseconds. */
const defaultTimeoutMs = 60_000;

export type StopReason = 'timeout' | 'aborted';

export interface StopConditions {
  /** Milliseconds; `Infinity` for no limit. @default 60000 */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Watches for the moment when a command must be ended, and remembers why. */
export interface StopWatch {
  /** Why the command was ended; undefined while nobody asked for it. */
  readonly reason: StopReason | undefined;
  /** No more watching; resolves when a stop that has begun is complete. */
  settle(): Promise<void>;
}

/** The largest delay that setTimeout(3) of Node takes, in milliseconds; a larger one would fire at once. */
const longestTimerMs = 2 ** 31 - 1;

/** Calls `stop` once, when the time is over or the signal is aborted, whichever comes first. */
export function watchForStop(conditions: StopConditions, stop: () => Promise<void>): StopWatch {
  const { timeoutMs = defaultTimeoutMs, signal } = conditions;
  let reason: StopReason | undefined;
  let stopping: Promise<void> | undefined;
  const begin = (why: StopReason): void => {
    if (reason !== undefined) return;
    reason = why;
    stopping = stop();
    // Reported by settle(); this keeps an early failure from counting as unhandled.
    stopping.catch(() => undefined);
  };
  const onAbort = (): void => begin('aborted');
  const timer =
    timeoutMs > longestTimerMs ? undefined : setTimeout(() => begin('timeout'), Math.max(0, timeoutMs));
  if (signal?.aborted === true) onAbort();
  else signal?.addEventListener('abort', onAbort, { once: true });
  return {
    get reason() {
      return reason;
    },
    async settle() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      await stopping;
    },
  };
}

/** The error of a command that was ended. Names the program only: its arguments may hold secrets. */
export function stopError(
  reason: StopReason,
  command: { readonly host: string; readonly program: string; readonly timeoutMs?: number | undefined },
  evidence?: string,
): FlowError {
  const details = { host: command.host, ...(evidence === undefined ? {} : { evidence }) };
  if (reason === 'aborted') {
    return new FlowError('INTERRUPTED', `"${command.program}" on ${command.host} was interrupted.`, details);
  }
  const seconds = (command.timeoutMs ?? defaultTimeoutMs) / 1000;
  return new FlowError(
    'TIMEOUT',
    `"${command.program}" on ${command.host} did not finish within ${seconds} s and was ended.`,
    details,
  );
}
