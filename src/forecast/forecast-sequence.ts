import type { SequencePlan } from '../plan/plan.ts';
import type { Forecast } from './forecast.ts';
import { forecastPlan } from './forecast-plan.ts';

/** What the runs of a sequence will do, one after another: plain JSON. No host was asked. */
export interface SequenceForecast {
  readonly version: 1;
  readonly kind: 'sequence';
  /** The name and file of the sequence. */
  readonly name: string;
  readonly file: string;
  /** SHA-256 (hex) of the plans of all its runs. */
  readonly digest: string;
  readonly runs: readonly SequenceForecastRun[];
}

export interface SequenceForecastRun {
  /** Its number, from 1, as `--from` takes it. */
  readonly number: number;
  /** What it does, for people. */
  readonly title: string;
  readonly forecast: Forecast;
}

/**
 * What a sequence will do. Pure: asks no host, reads no secret.
 * @param memoryOf a run by its number: the bytes of its workload, when a host was asked
 */
export function forecastSequence(
  { name, file, digest, runs }: SequencePlan,
  memoryOf: (number: number) => number | undefined = () => undefined,
): SequenceForecast {
  return {
    version: 1,
    kind: 'sequence',
    name,
    file,
    digest,
    runs: runs.map(({ title, plan }, index) => ({
      number: index + 1,
      title,
      forecast: forecastPlan(plan, memoryOf(index + 1)),
    })),
  };
}
