import { type PlanInputs, planOf } from '../plan-of.ts';

/** `criu-flow plan`: what a run would do. Asks no host. @returns 0 */
export async function planCommand(
  recipe: string,
  options: PlanInputs & { readonly json: boolean },
): Promise<number> {
  const plan = await planOf(recipe, options);
  const { forecastPlan } = await import('../../forecast/forecast-plan.ts');
  const forecast = forecastPlan(plan);
  if (options.json) {
    const { toSafeJson } = await import('../../report/sanitize.ts');
    process.stdout.write(`${toSafeJson(forecast)}\n`);
    return 0;
  }
  const [{ formatForecast }, { createPaint, wantsColor }] = await Promise.all([
    import('../format-forecast.ts'),
    import('../../report/format.ts'),
  ]);
  process.stdout.write(`${formatForecast(forecast, createPaint(wantsColor(process.env, process.stdout)))}\n`);
  return 0;
}
