import { FlowError } from '../errors/flow-error.ts';

/** What ends a run wherever it happens. */
const GRAVE: ReadonlySet<FlowError['code']> = new Set(['INTERRUPTED', 'SUPERSEDED', 'HOST_UNREACHABLE']);

/**
 * Why something could not be measured or tried before the freeze, in a line, where that is no reason not to move.
 * @throws the error itself when it is a reason: INTERRUPTED, SUPERSEDED, HOST_UNREACHABLE, and what is no FlowError
 */
export function whyNot(error: unknown): string {
  if (!(error instanceof FlowError) || GRAVE.has(error.code)) throw error;
  return [error.message, ...(error.evidence === undefined ? [] : [error.evidence])].join(': ');
}
