import type { Plan } from '../../plan/plan.ts';
import { planOf } from '../plan-of.ts';
import { configFile } from '../ssh-config-file.ts';
import type { RunCommandOptions } from '../run-options.ts';

/** `criu-flow run --check`: what a run would do, and what the hosts say of it. @returns the exit code of a run that preflight refuses */
export async function checkCommand(recipe: string, options: RunCommandOptions): Promise<number> {
  const { plan } = await planOf(recipe, options);
  if (plan.kind !== 'sequence') return checkOne(plan, options);
  const { checkSequenceCommand } = await import('./check-sequence.ts');
  return checkSequenceCommand(plan, options);
}

async function checkOne(plan: Plan, options: RunCommandOptions): Promise<number> {
  const sshConfigFile = await configFile(options);
  const [{ checkPlan }, { forecastPlan }, { abortOnSignals }, { Standing }] = await Promise.all([
    import('../../engine/check-plan.ts'),
    import('../../forecast/forecast-plan.ts'),
    import('../signals.ts'),
    import('../standing.ts'),
  ]);
  const tell = (): void => {
    process.stderr.write('Interrupted: nothing was touched.\n');
  };
  const { signal, stop } = abortOnSignals(tell, new Standing());
  const check = await checkPlan(plan, { sshConfigFile, signal }).finally(stop);
  const forecast = forecastPlan(plan, check.workload?.memoryBytes);
  if (options.reporter === 'json') {
    const { toSafeJson } = await import('../../report/sanitize.ts');
    process.stdout.write(`${toSafeJson({ ...forecast, check })}\n`);
    return check.exitCode;
  }
  const [{ formatForecast }, { formatCheck }, { createPaint, wantsColor }] = await Promise.all([
    import('../format-forecast.ts'),
    import('../../report/format-check.ts'),
    import('../../report/format.ts'),
  ]);
  const paint = createPaint(wantsColor(process.env, process.stdout));
  process.stdout.write(`${formatForecast(forecast, paint)}\n\n${formatCheck(check, paint)}\n`);
  return check.exitCode;
}
