import { toFailureData } from '../events/failure-data.ts';
import type { PlanCheck } from '../events/plan-check.ts';
import type { SequencePlan } from '../plan/plan.ts';
import { checkPlan } from './check-plan.ts';
import { exitCodeOf } from './outcome.ts';

export interface CheckRunsOptions {
  readonly sshConfigFile: string | undefined;
  readonly signal: AbortSignal;
  /** The number of the first run that is asked for. */
  readonly from: number;
  /** Takes what the hosts say of a run, as they do. */
  readonly onChecked: (number: number, check: PlanCheck) => void;
}

/**
 * Asks the hosts what the preflights of the runs of a sequence ask. Changes nothing on any host. It goes on when one is refused: a
 * person wants to know of all that is in the way.
 * @returns what the sequence ends with when one is refused, or when it is interrupted; else 0
 */
export async function checkRuns(
  plan: SequencePlan,
  { from, sshConfigFile, signal, onChecked }: CheckRunsOptions,
  check: typeof checkPlan = checkPlan,
): Promise<number> {
  let refusal = 0;
  for (const [index, run] of plan.runs.entries()) {
    const number = index + 1;
    if (number < from) continue;
    const interrupted = interruption(signal);
    if (interrupted !== undefined) return interrupted;
    const checked = await check(run.plan, { sshConfigFile, signal });
    onChecked(number, checked);
    if (refusal === 0) refusal = checked.exitCode;
  }
  return interruption(signal) ?? refusal;
}

/** What a run ends with that is interrupted before it begins. */
export function interruption({ aborted, reason }: AbortSignal): number | undefined {
  return aborted ? exitCodeOf('refused', toFailureData(reason)) : undefined;
}
