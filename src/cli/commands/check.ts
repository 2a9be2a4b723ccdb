import type { PlanCheck } from '../../engine/check-plan.ts';
import type { Finding } from '../../preflight/finding.ts';
import type { Paint } from '../../report/format.ts';
import type { RunCommandOptions } from './run.ts';
import { planOf } from '../plan-of.ts';
import { configFile } from '../ssh-config-file.ts';

/** `criu-flow run --check`: what a run would do, and what the hosts say of it. @returns the exit code of a run that preflight refuses */
export async function checkCommand(recipe: string, options: RunCommandOptions): Promise<number> {
  const plan = await planOf(recipe, options);
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
  const [{ formatForecast }, { createPaint, wantsColor }] = await Promise.all([
    import('../format-forecast.ts'),
    import('../../report/format.ts'),
  ]);
  const paint = createPaint(wantsColor(process.env, process.stdout));
  const said = await formatCheck(check, paint);
  process.stdout.write(`${formatForecast(forecast, paint)}\n\n${said}\n`);
  return check.exitCode;
}

async function formatCheck({ failure, findings, workload }: PlanCheck, paint: Paint): Promise<string> {
  const [{ formatFailure }, { formatBytes }, { printable }] = await Promise.all([
    import('../../report/failure.ts'),
    import('../../report/format.ts'),
    import('../../recipe/printable.ts'),
  ]);
  if (failure) return formatFailure(failure, { paint });
  const { command = '', pid, processes, memoryBytes = 0 } = workload ?? {};
  const found = `${printable(command)} (pid ${pid}, ${processes === 1 ? '1 process' : `${processes} processes`}, ${formatBytes(memoryBytes)} of memory)`;
  if (findings.length === 0) {
    return `${paint('good', 'Checked:')} both hosts can move ${found}. Nothing was changed.`;
  }
  const formatFinding = ({ host, message, remedy, command: run }: Finding): string =>
    [
      `  ${paint('faint', 'host:')} ${printable(host)}  ${printable(message)}`,
      `    ${paint('faint', 'do:')} ${printable(remedy)}`,
      ...(run === undefined ? [] : [`    ${paint('faint', 'run:')} ${printable(run)}`]),
    ].join('\n');
  const count = findings.length === 1 ? '1 finding' : `${findings.length} findings`;
  return [
    `${paint('bad', `Preflight would refuse the run (${count})`)}, which is to move ${found}. Nothing was changed.`,
    ...findings.map(formatFinding),
  ].join('\n');
}
