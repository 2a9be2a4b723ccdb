import { toFailureData } from '../events/failure-data.ts';
import type { PlanCheck } from '../events/plan-check.ts';
import { actingSteps, type Plan } from '../plan/plan.ts';
import { lookAround } from '../preflight/look.ts';
import { STEP_TYPES, timeoutOf } from '../steps/registry.ts';
import { type Connection, connect } from './connection.ts';
import { exitCodeOf } from './outcome.ts';
import { abortReason, stepSignal } from './step-signal.ts';

/**
 * Does what the preflight of a run does, and nothing else: no run, no lock, no command of the recipe, no secret. Changes nothing on
 * any host. Failures are in what it returns; what is thrown is a bug.
 */
export async function checkPlan(
  plan: Plan,
  { sshConfigFile, signal }: { readonly sshConfigFile: string | undefined; readonly signal: AbortSignal },
): Promise<PlanCheck> {
  let connection: Connection | undefined;
  try {
    connection = await connect(plan, sshConfigFile, signal);
    const { workload, findings, allowed } = await inTime(plan, signal, lookAround({ plan, ...connection }));
    const root = workload.processes[0];
    return {
      findings,
      allowed,
      workload: {
        pid: workload.rootPid,
        command: root?.command ?? '',
        processes: workload.processes.length,
        memoryBytes: workload.processes.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
      },
      exitCode: findings.length === 0 ? 0 : exitCodeOf('refused', undefined),
    };
  } catch (error) {
    const failure = toFailureData(abortReason(signal, error));
    return { findings: [], allowed: [], failure, exitCode: exitCodeOf('refused', failure) };
  } finally {
    await connection?.close();
  }
}

/** As long as the plan's preflight may take, unless the signal ends that. What is still asked then is answered to nobody. */
async function inTime<Value>(plan: Plan, run: AbortSignal, value: Promise<Value>): Promise<Value> {
  const step = actingSteps(plan.steps).find(({ uses }) => uses === 'preflight');
  const limitMs = step ? timeoutOf(step, plan) : STEP_TYPES.preflight.timeoutMs;
  const { signal, done } = stepSignal(run, step?.title ?? 'preflight', limitMs);
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  });
  try {
    return await Promise.race([value, aborted]);
  } finally {
    done();
    signal.removeEventListener('abort', stop);
  }
}
