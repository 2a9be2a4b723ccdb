import { toFailureData } from '../events/failure-data.ts';
import type { EmitEvent, FlowEvent, ProbeReport, RunSummary, StepView } from '../events/event.ts';
import { actingSteps, type Plan } from '../plan/plan.ts';
import type { RunState } from '../steps/step.ts';
import { flowCommandOf } from '../store/flow-command.ts';
import type { RunDirectory } from '../store/run-directory.ts';
import { thisController } from '../lock/controller.ts';
import type { Connection } from './connection.ts';
import { Journal } from './journal.ts';
import { locateWorkload } from './locate-workload.ts';
import { exitCodeOf } from './outcome.ts';
import { type AttemptEnd, toDoOf } from './to-do.ts';
import { PhaseClock } from './phase-clock.ts';
import { Redactor } from './redactor.ts';

/** What an attempt wants: the whole move, its end after the commit point, or what was begun taken back. */
export type Goal = 'run' | 'resume' | 'rollback';

/** One attempt of a run as the world sees it: events to the journal and to whoever watches, a summary at the end. */
export class Session {
  readonly plan: Plan;
  readonly runId: string;
  readonly directory: RunDirectory;
  readonly #beganAtMs = performance.now();
  readonly #warnings: string[] = [];
  readonly #phases = new PhaseClock();
  readonly #journal: Journal;
  readonly #watch: EmitEvent;
  readonly #sshConfigFile: string | undefined;
  #redactor = new Redactor();

  constructor(options: {
    readonly plan: Plan;
    readonly runId: string;
    readonly directory: RunDirectory;
    readonly emit: EmitEvent;
    /** By which the hosts are reached. */
    readonly sshConfigFile: string | undefined;
  }) {
    this.plan = options.plan;
    this.runId = options.runId;
    this.directory = options.directory;
    this.#journal = new Journal(options.directory);
    this.#watch = options.emit;
    this.#sshConfigFile = options.sshConfigFile;
  }

  /** From now on nothing that is told or written down holds one of these. */
  hide(secrets: ReadonlyMap<string, string>): Redactor {
    this.#redactor = new Redactor(secrets.values());
    return this.#redactor;
  }

  readonly emit = (told: FlowEvent): void => {
    const event = this.#redactor.data(told);
    const lost = this.#journal.note(event);
    if (lost !== undefined) this.emit({ kind: 'warning', text: lost });
    if (event.kind === 'warning') this.#warnings.push(event.text);
    if (event.kind === 'phase-started') this.#phases.enter(event.phase);
    this.#watch(event);
  };

  begin(goal: Goal, epoch: number, steps: readonly StepView[]): void {
    const { plan, runId } = this;
    this.directory.append({ kind: 'attempt', goal, epoch, controller: thisController() }, { durable: true });
    this.emit({
      kind: 'run-started',
      runId,
      runKind: plan.kind,
      recipe: plan.name,
      source: plan.source,
      destination: plan.destination,
      steps,
    });
  }

  /** The end of an attempt that could not even ask the hosts. */
  refuse(error: unknown): RunSummary {
    const failure = toFailureData(error);
    return this.#record({
      ...this.#base(),
      outcome: 'refused',
      exitCode: exitCodeOf('refused', failure),
      workloadIsOn: 'unknown',
      phasesMs: {},
      failure,
      undoFailures: [],
    });
  }

  /** Looks where the workload is, closes the connection, and writes the summary down. */
  async finish(
    end: AttemptEnd & { readonly probes?: readonly ProbeReport[] },
    state: RunState,
    connection: Connection,
  ): Promise<RunSummary> {
    const { outcome, failure, undoFailures, probes = [] } = end;
    const toDo = toDoOf(end, state, connection, flowCommandOf(this.directory, this.#sshConfigFile));
    const workloadIsOn = await locateWorkload(connection, state);
    await Promise.all([state.relay?.close(), state.detour?.close()]);
    await connection.close();
    const objectiveMs = this.plan.objectives.downtimeMs;
    const downtimeMs = downtimeOf(state);
    const root = state.workload?.processes[0];
    return this.#record({
      ...this.#base(),
      outcome,
      exitCode: exitCodeOf(outcome, failure),
      workloadIsOn,
      ...(root
        ? {
            workload: {
              pid: root.pid,
              command: root.command,
              processes: state.workload?.processes.length ?? 1,
            },
          }
        : {}),
      ...(state.imageBytes === undefined ? {} : { imageBytes: state.imageBytes }),
      ...(downtimeMs === undefined ? {} : { downtimeMs }),
      ...(state.criuMs === undefined ? {} : { criuMs: state.criuMs }),
      ...(objectiveMs === undefined ? {} : { downtimeObjectiveMs: objectiveMs }),
      ...(state.fetchMs === undefined ? {} : { fetchMs: state.fetchMs }),
      ...(state.strategy === undefined ? {} : { strategy: state.strategy }),
      ...(state.preCopy === undefined ? {} : { preCopy: state.preCopy }),
      ...(state.compression === undefined ? {} : { compression: state.compression }),
      phasesMs: this.#phases.finish(),
      ...(probes.length > 0 ? { probes } : {}),
      ...(failure ? { failure } : {}),
      undoFailures,
      ...(toDo ? { toDo } : {}),
    });
  }

  #base(): Pick<RunSummary, 'runId' | 'kind' | 'source' | 'destination' | 'warnings' | 'runDirectory'> {
    const { plan, runId } = this;
    return {
      runId,
      kind: plan.kind,
      source: plan.source,
      destination: plan.destination,
      warnings: this.#warnings,
      runDirectory: this.directory.path,
    };
  }

  #record(end: Omit<RunSummary, 'durationMs'>): RunSummary {
    const durationMs = performance.now() - this.#beganAtMs;
    const summary: RunSummary = this.#redactor.data({ ...end, durationMs });
    this.emit({ kind: 'run-finished', summary });
    this.directory.close();
    return summary;
  }
}

/** Milliseconds from the order to freeze to the confirmed release; undefined when one of them is not known. */
export function downtimeOf(state: RunState): number | undefined {
  const { frozenAtMs, releasedAtMs, resumedAtMs = releasedAtMs } = state;
  return frozenAtMs === undefined || resumedAtMs === undefined ? undefined : resumedAtMs - frozenAtMs;
}

/** The steps as reporters show them: what the engine does around the freeze has lines of its own. */
export function viewOf(plan: Plan): StepView[] {
  return [
    ...(doesLock(plan) ? [{ id: 'lock', uses: 'lock', title: lockTitle(plan) }] : []),
    ...actingSteps(plan.steps).map(({ id, uses, title }) => ({ id, uses, title })),
    ...plan.always.map(({ id, uses, title }) => ({ id, uses, title })),
    { id: 'clean-up', uses: 'clean-up', title: plan.kind === 'move' ? 'Clean up both hosts' : 'Clean up' },
  ];
}

/** Whether a run of the plan takes the process ids of a workload: one that only looks does not. */
export function doesLock({ steps }: Plan): boolean {
  return steps.some(({ uses }) => uses === 'dump' || uses === 'transfer/checkpoint');
}

/** Milliseconds for finding the workload and locking it. */
export const LOCK_TIMEOUT_MS = 60_000;

export function lockTitle({ kind }: Plan): string {
  return kind === 'move' ? 'Lock the workload on both hosts' : 'Lock the process ids of the workload';
}
