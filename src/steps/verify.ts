import { setTimeout as delay } from 'node:timers/promises';
import { FlowError } from '../errors/flow-error.ts';
import type { Check } from '../plan/plan.ts';
import { askCheck, describeCheck } from './ask-check.ts';
import { hostOf } from './command.ts';
import type { StepContext, StepType } from './step.ts';

/** Milliseconds between two tries of a check that has not passed yet. */
const RETRY_MS = 100;

/**
 * Ask questions of the workload. After `commit` it must answer; a `verify` that stands between `dump` and `commit`
 * looks at a workload that does not run, and its failure still rolls back.
 */
export const verify: StepType = {
  timeoutMs: 300_000,
  main: {
    async run(context, step) {
      if (step.uses !== 'verify') throw new Error(`verify: got ${step.uses}`);
      if (context.state.releasedAtMs !== undefined) context.phase('verify');
      for (const check of step.checks) {
        context.detail(describeCheck(check));
        await untilPassed(context, check);
      }
      return step.checks.map(describeCheck).join(', ');
    },
  },
};

/**
 * Tries again until the check passes or its time is over; the last answer is the evidence. While the workload is frozen nothing
 * runs that could come to pass the check later, and every client waits: then it is asked once.
 */
async function untilPassed(context: StepContext, check: Check): Promise<void> {
  const deadline = performance.now() + check.timeoutMs;
  const { frozenAtMs, releasedAtMs } = context.state;
  const isFrozen = frozenAtMs !== undefined && releasedAtMs === undefined;
  for (;;) {
    const wrong = await askCheck(context, check, Math.max(1, Math.ceil(deadline - performance.now())));
    if (wrong === undefined) return;
    context.signal.throwIfAborted();
    if (isFrozen || performance.now() >= deadline) {
      throw new FlowError('VERIFY_FAILED', `The check failed: ${describeCheck(check)}`, {
        host: hostOf(context, check.kind === 'command' ? check.on : check.from).name,
        evidence: wrong,
      });
    }
    await delay(RETRY_MS, undefined, { signal: context.signal });
  }
}
