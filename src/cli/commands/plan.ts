import { type PlanInputs, planOf } from '../plan-of.ts';

/** `criu-flow plan`: what a run would do, or those of a sequence. Asks no host. @returns 0 */
export async function planCommand(
  recipe: string,
  options: PlanInputs & { readonly json: boolean },
): Promise<number> {
  const { plan } = await planOf(recipe, options);
  const forecast =
    plan.kind === 'sequence'
      ? (await import('../../forecast/forecast-sequence.ts')).forecastSequence(plan)
      : (await import('../../forecast/forecast-plan.ts')).forecastPlan(plan);
  if (options.json) {
    const { toSafeJson } = await import('../../report/sanitize.ts');
    process.stdout.write(`${toSafeJson(forecast)}\n`);
    return 0;
  }
  const { createPaint, wantsColor } = await import('../../report/format.ts');
  const paint = createPaint(wantsColor(process.env, process.stdout));
  const text =
    forecast.kind === 'sequence'
      ? (await import('../format-sequence-forecast.ts')).formatSequenceForecast(forecast, paint)
      : (await import('../format-forecast.ts')).formatForecast(forecast, paint);
  process.stdout.write(`${text}\n`);
  return 0;
}
