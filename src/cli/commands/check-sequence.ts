import { checkRuns } from '../../engine/check-runs.ts';
import type { PlanCheck } from '../../events/plan-check.ts';
import { forecastSequence } from '../../forecast/forecast-sequence.ts';
import type { SequencePlan } from '../../plan/plan.ts';
import { formatCheck } from '../../report/format-check.ts';
import { createPaint, wantsColor } from '../../report/format.ts';
import { toSafeJson } from '../../report/sanitize.ts';
import { formatSequenceForecast } from '../format-sequence-forecast.ts';
import { abortOnSignals } from '../signals.ts';
import { configFile } from '../ssh-config-file.ts';
import { Standing } from '../standing.ts';
import type { RunCommandOptions } from '../run-options.ts';

/** `criu-flow run --check` of a sequence: each run, and what the hosts say of it. @returns the exit code of the sequence that they refuse */
export async function checkSequenceCommand(plan: SequencePlan, options: RunCommandOptions): Promise<number> {
  const { from = 1, reporter } = options;
  const sshConfigFile = await configFile(options);
  const checks = new Map<number, PlanCheck>();
  const tell = (): void => {
    process.stderr.write('Interrupted: nothing was touched.\n');
  };
  const { signal, stop } = abortOnSignals(tell, new Standing());
  const onChecked = (number: number, check: PlanCheck): void => void checks.set(number, check);
  const exitCode = await checkRuns(plan, { from, sshConfigFile, signal, onChecked }).finally(stop);
  const whole = forecastSequence(plan, (number) => checks.get(number)?.workload?.memoryBytes);
  const forecast = { ...whole, runs: whole.runs.filter(({ number }) => number >= from) };
  if (reporter === 'json') {
    const runs = forecast.runs.map((run) => ({ ...run, check: checks.get(run.number) }));
    process.stdout.write(`${toSafeJson({ ...forecast, runs, exitCode })}\n`);
    return exitCode;
  }
  const paint = createPaint(wantsColor(process.env, process.stdout));
  const said = (number: number): string | undefined => {
    const check = checks.get(number);
    return check && formatCheck(check, paint);
  };
  process.stdout.write(`${formatSequenceForecast(forecast, paint, said)}\n`);
  return exitCode;
}
