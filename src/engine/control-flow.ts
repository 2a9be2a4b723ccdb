import pRetry from 'p-retry';
import { FlowError } from '../errors/flow-error.ts';
import type { EmitEvent } from '../events/event.ts';
import { toFailureData } from '../events/failure-data.ts';
import type { ActingStep, BlockStep, PlanStep, RetryPolicy } from '../plan/plan.ts';
import { resolveCondition } from '../plan/resolve.ts';
import type { TemplateValues } from '../template/scope.ts';

/** What the order of steps needs of the run that they are part of. */
export interface FlowPort {
  readonly emit: EmitEvent;
  /** Aborts when the run is interrupted. */
  readonly signal: AbortSignal;
  readonly values: () => TemplateValues;
  /** Whether a step, or a block, came to its end in an earlier attempt. */
  readonly isFinished: (stepId: string) => boolean;
  /** Does one step. Its signal is not always the run's: what a block does in any case is done after an interruption too. */
  readonly act: (step: ActingStep, signal: AbortSignal) => Promise<void>;
}

/** Runs steps in order: conditions, blocks, rescue. Which step comes next depends on the plan and on recorded results only. */
export async function runSteps(steps: readonly PlanStep[], port: FlowPort): Promise<void> {
  for (const step of steps) {
    if (port.isFinished(step.id)) continue;
    if (!resolveCondition(step.when, port.values())) skip(step, port);
    else if (step.uses === 'block') await runBlock(step, port);
    else await port.act(step, port.signal);
  }
}

/** Tells of each step of a block by itself: reporters have no lines for blocks. */
function skip(step: PlanStep, port: FlowPort): void {
  if (step.uses !== 'block') {
    const result = { status: 'skipped' } as const;
    port.emit({ kind: 'step-finished', stepId: step.id, durationMs: 0, result });
    return;
  }
  for (const child of [...step.steps, ...step.rescue, ...step.always]) skip(child, port);
}

async function runBlock(block: BlockStep, port: FlowPort): Promise<void> {
  let failed: { readonly reason: unknown } | undefined;
  try {
    await runSteps(block.steps, port);
    for (const step of block.rescue) skip(step, port);
  } catch (error) {
    failed = await rescue(block, port, error);
  }
  try {
    await runSteps(block.always, { ...port, signal: new AbortController().signal });
  } catch (error) {
    if (failed) port.emit({ kind: 'warning', text: `After that: ${toFailureData(error).message}` });
    failed ??= { reason: error };
  }
  if (failed) throw failed.reason;
  port.emit({ kind: 'block-finished', stepId: block.id });
}

/** @returns the failure that is left, if any */
async function rescue(
  block: BlockStep,
  port: FlowPort,
  error: unknown,
): Promise<{ readonly reason: unknown } | undefined> {
  if (block.rescue.length === 0 || port.signal.aborted || !isRescuable(error)) return { reason: error };
  const { message } = toFailureData(error);
  try {
    await runSteps(block.rescue, port);
    port.emit({ kind: 'warning', text: `“${block.title}” was rescued: ${message}` });
    return undefined;
  } catch (reason) {
    port.emit({ kind: 'warning', text: `Before that: ${message}` });
    return { reason };
  }
}

/** An interruption, or the run's own bookkeeping, is nothing that a recipe can repair; a bug must be seen. */
function isRescuable(error: unknown): boolean {
  return error instanceof FlowError && !NEVER_RESCUED.has(error.code);
}

const NEVER_RESCUED: ReadonlySet<string> = new Set(['INTERRUPTED', 'SUPERSEDED', 'JOURNAL_FAILED', 'LOCKED']);

/** Tries as often as the policy says. The signal, that of the step, ends the waits too. */
export async function withRetries<T>(
  policy: RetryPolicy | undefined,
  signal: AbortSignal,
  onFailure: (text: string) => void,
  run: () => Promise<T>,
): Promise<T> {
  if (!policy) return run();
  const { attempts, delayMs, backoff, maxDelayMs } = policy;
  return pRetry(run, {
    retries: attempts - 1,
    minTimeout: delayMs,
    factor: backoff,
    maxTimeout: Math.max(delayMs, maxDelayMs),
    signal,
    shouldRetry: ({ error }) => isRescuable(error) && !signal.aborted,
    onFailedAttempt: ({ error, attemptNumber, retriesLeft }) => {
      if (retriesLeft > 0) onFailure(`try ${attemptNumber} of ${attempts} failed: ${error.message}`);
    },
  });
}
