import { LOCK_TIMEOUT_MS, viewOf } from '../engine/session.ts';
import {
  type ActingStep,
  actingSteps,
  type Check,
  type Late,
  type Plan,
  type PlanStep,
  strategiesOf,
  withStrategy,
} from '../plan/plan.ts';
import { describeCheck } from '../steps/ask-check.ts';
import { STEP_TYPES, timeoutOf, undoTitleOf } from '../steps/registry.ts';
import { describeSelector } from '../workload/find.ts';
import { type RunNames, unknownRun } from './act.ts';
import { type ActsOf, MOVE_ACTS, type MoveStep } from './acts.ts';
import { CommandDescriber } from './describe-command.ts';
import type { Act, Forecast, ForecastCheck, ForecastStep } from './forecast.ts';
import { CHECKPOINT_ACTS, RESTORE_ACTS } from './one-host-acts.ts';
import { estimatePause } from './pause.ts';
import { meaningOf } from './word.ts';

/**
 * What a plan will do. Pure: asks no host, reads no secret.
 * @param memoryBytes of the workload, when a host was asked
 */
export function forecastPlan(plan: Plan, memoryBytes?: number): Forecast {
  const forecaster = new Forecaster(plan);
  const body = {
    steps: forecaster.steps(),
    rollback: plan.rollback.map((spec) => forecaster.commands.describe(spec)),
    watches: plan.watches.map((watch) => ({ ...watch, check: forecaster.check(watch.check) })),
  };
  return {
    version: 1,
    kind: plan.kind,
    name: plan.name,
    file: plan.file,
    digest: plan.digest,
    source: plan.source,
    destination: plan.destination,
    workload: describeSelector(plan.workload),
    network: plan.network,
    onFailure: plan.onFailure,
    files: plan.files.map(({ path }) => path),
    placeholders: Object.fromEntries([...needsIn(body)].map((shown) => [shown, meaningOf(shown)])),
    ...body,
    ...pausesOf(plan, body.steps, memoryBytes),
  };
}

function pausesOf(
  plan: Plan,
  steps: readonly ForecastStep[],
  memoryBytes: number | undefined,
): Pick<Forecast, 'pause' | 'pauses'> {
  if (plan.kind === 'restore') return {};
  if (plan.strategy !== 'auto') return { pause: estimatePause(plan, steps, memoryBytes) };
  const pauses = strategiesOf(plan).map((strategy) => ({
    strategy,
    pause: estimatePause(withStrategy(plan, strategy), steps, memoryBytes),
  }));
  return { pauses };
}

const ACTS: Readonly<Record<Plan['kind'], ActsOf>> = {
  move: MOVE_ACTS,
  checkpoint: CHECKPOINT_ACTS,
  restore: RESTORE_ACTS,
};

class Forecaster {
  readonly commands: CommandDescriber;
  readonly #plan: Plan;
  readonly #names: RunNames;

  constructor(plan: Plan) {
    this.commands = new CommandDescriber(plan);
    this.#plan = plan;
    this.#names = unknownRun(plan);
  }

  /** What the engine does around the steps of the plan is among them. */
  steps(): readonly ForecastStep[] {
    const own = viewOf(this.#plan).flatMap(({ id, uses, title }): readonly ForecastStep[] =>
      uses === 'lock' || uses === 'clean-up'
        ? [{ id, uses, title, acts: this.#acts(uses), undo: [], rollback: [] }]
        : [],
    );
    return [
      ...own.filter(({ uses }) => uses === 'lock').map((step) => ({ ...step, timeoutMs: LOCK_TIMEOUT_MS })),
      ...this.#plan.steps.map((step) => this.#step(step)),
      ...this.#plan.always.map((step): ForecastStep => ({ ...this.#step(step), isAlways: true })),
      ...own.filter(({ uses }) => uses === 'clean-up').map((step) => ({ ...step, isAlways: true as const })),
    ];
  }

  #acts(uses: MoveStep): readonly Act[] {
    const acts = ACTS[this.#plan.kind][uses];
    if (!acts) throw new Error(`no ${uses} in a ${this.#plan.kind}`);
    return acts(this.#names);
  }

  check(check: Check): ForecastCheck {
    const asks = describeCheck(check);
    const { timeoutMs } = check;
    if (check.kind === 'command') {
      const command = this.commands.describe(check);
      const pattern = check.stdout === undefined ? {} : { pattern: check.stdout };
      return { asks, on: check.on, timeoutMs, ...pattern, command };
    }
    return {
      asks,
      on: check.from,
      timeoutMs,
      ...(check.withinMs === undefined ? {} : { withinMs: check.withinMs }),
      ...(check.kind === 'http' && check.body !== undefined ? { pattern: check.body } : {}),
    };
  }

  #step(step: PlanStep): ForecastStep {
    const { id, uses, title, when } = step;
    const base = {
      ...{ id, uses, title },
      ...(when === undefined ? {} : { when: this.#when(step, when) }),
      rollback: step.rollback.map((spec) => this.commands.describe(spec)),
    };
    if (step.uses !== 'block') {
      return {
        ...base,
        timeoutMs: timeoutOf(step, this.#plan),
        undo: undoOf(step, this.#plan),
        ...this.#acting(step),
      };
    }
    const [steps, rescue, always] = [step.steps, step.rescue, step.always].map((list) =>
      list.map((each) => this.#step(each)),
    );
    return { ...base, acts: [], undo: [], steps: steps ?? [], rescue: rescue ?? [], always: always ?? [] };
  }

  #when({ uses }: PlanStep, when: false | Late): false | string {
    if (when !== false) return when.template;
    const isOpen = this.#plan.strategy === 'auto' && (uses === 'pre-copy' || uses === 'post-copy');
    return isOpen && `${uses} is chosen`;
  }

  #acting(step: ActingStep): Pick<ForecastStep, 'acts'> & Partial<ForecastStep> {
    switch (step.uses) {
      case 'verify':
        return { acts: [], checks: step.checks.map((check) => this.check(check)) };
      case 'approve': {
        const { message, by, approvals, expiresMs } = step;
        return { acts: [], timeoutMs: expiresMs, approval: { message, by, approvals, expiresMs } };
      }
      case 'command': {
        const { register, retry, exitCodes, irreversible, readOnly } = step;
        return {
          acts: [{ kind: 'work', on: step.on, does: 'run', commands: [this.commands.describe(step)] }],
          ...(register !== undefined && { register }),
          ...(retry && { retry }),
          ...(exitCodes && { exitCodes }),
          ...(irreversible !== undefined && { irreversible }),
          ...(readOnly && { readOnly }),
        };
      }
      default:
        return { acts: this.#acts(step.uses) };
    }
  }
}

/** What was prepared for a step is taken back with the preparation. */
function undoOf(step: ActingStep, plan: Plan): readonly string[] {
  const undos =
    step.uses === 'prepare'
      ? actingSteps(plan.steps).map(({ uses }) => STEP_TYPES[uses].prepare?.undo)
      : [STEP_TYPES[step.uses].main.undo];
  return undos.flatMap((undo) => (undo ? [undoTitleOf(undo, plan)] : []));
}

/** The names of all placeholders below a value, each once, as they come. */
function needsIn(value: unknown): ReadonlySet<string> {
  if (typeof value !== 'object' || value === null) return new Set();
  const own = 'needs' in value ? (value.needs as readonly string[]) : [];
  return new Set([...own, ...Object.values(value).flatMap((each) => [...needsIn(each)])]);
}
