import { FlowError } from '../errors/flow-error.ts';

/**
 * A signal for one step: the run's own, or the end of the step's time, whose reason is a TIMEOUT.
 * @returns the signal, and what to call when the step is over.
 */
export function stepSignal(
  run: AbortSignal,
  title: string,
  timeoutMs: number,
): { readonly signal: AbortSignal; readonly done: () => void } {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(
      new FlowError('TIMEOUT', `“${title}” took longer than ${timeoutMs / 1000} s`, {
        hint: 'Give the step a longer `timeout`.',
      }),
    );
  }, timeoutMs);
  return { signal: AbortSignal.any([run, controller.signal]), done: () => clearTimeout(timer) };
}

/**
 * The reason of an aborted run or step, whatever error the abort surfaced as in the code that noticed it.
 */
export function abortReason(signal: AbortSignal, error: unknown): unknown {
  return signal.aborted ? (signal.reason as unknown) : error;
}
