import { toFailureData } from '../events/failure-data.ts';
import type { EmitEvent, FailureData, FlowEvent, RunSummary, StepView } from '../events/event.ts';
import type { Plan } from '../plan/plan.ts';
import { newRunId, RunDirectory } from '../store/run-directory.ts';
import { connect } from './connection.ts';
import { Journal } from './journal.ts';
import { exitCodeOf, outcomeOf } from './outcome.ts';
import { PhaseClock } from './phase-clock.ts';
import { StepRunner } from './step-runner.ts';
import { locateWorkload } from './locate-workload.ts';

export interface RunPlanOptions {
  /** Takes what happens, as it happens. Must not throw. */
  readonly emit: EmitEvent;
  /** Aborting it rolls the run back, as long as the commit point is not reached. */
  readonly signal: AbortSignal;
  /** Another file than ~/.ssh/config. */
  readonly sshConfigFile?: string | undefined;
  /** Leaves the images on the source after a move that ended well. They hold the memory of the workload. @default false */
  readonly keepImages?: boolean | undefined;
}

/**
 * Runs a plan by the safe protocol: at most one copy runs at any instant, and at least one can be brought to run.
 * Failures are in the summary; what is thrown is a bug.
 */
export async function runPlan(plan: Plan, options: RunPlanOptions): Promise<RunSummary> {
  const beganAtMs = performance.now();
  const runId = newRunId();
  const directory = RunDirectory.create(runId, plan, {
    sshConfigFile: options.sshConfigFile,
    keepImages: options.keepImages,
  });
  const warnings: string[] = [];
  const phases = new PhaseClock();
  const journal = new Journal(directory);
  const emit = (event: FlowEvent): void => {
    const lost = journal.note(event);
    if (lost !== undefined) emit({ kind: 'warning', text: lost });
    if (event.kind === 'warning') warnings.push(event.text);
    if (event.kind === 'phase-started') phases.enter(event.phase);
    options.emit(event);
  };
  emit({
    kind: 'run-started',
    runId,
    recipe: plan.name,
    source: plan.source,
    destination: plan.destination,
    steps: viewOf(plan),
  });

  const record = (summary: RunSummary): RunSummary => {
    emit({ kind: 'run-finished', summary });
    directory.close();
    return summary;
  };
  const base = {
    runId,
    source: plan.source,
    destination: plan.destination,
    warnings,
    runDirectory: directory.path,
  };

  let connection;
  try {
    connection = await connect(plan, options.sshConfigFile);
  } catch (error) {
    const failure = toFailureData(error);
    return record({
      ...base,
      outcome: 'refused',
      exitCode: exitCodeOf('refused', failure),
      workloadIsOn: 'unknown',
      phasesMs: {},
      durationMs: performance.now() - beganAtMs,
      failure,
      undoFailures: [],
    });
  }

  const runner = new StepRunner({ ...options, plan, runId, connection, emit, directory });
  const { failure, undoFailures } = await runner.run();
  const { state } = runner;
  const released = state.releasedAtMs !== undefined;
  const downtimeMs =
    state.releasedAtMs === undefined || state.frozenAtMs === undefined
      ? undefined
      : state.releasedAtMs - state.frozenAtMs;
  const objectiveMs = plan.objectives.downtimeMs;
  const missed = missedObjective(downtimeMs, objectiveMs) ?? failure;
  const outcome = outcomeOf({
    touched: runner.touched,
    committed: state.committed,
    released,
    failure,
    undoFailed: undoFailures.length > 0,
    objectiveMissed: missed !== undefined,
  });
  const workloadIsOn = await locateWorkload(connection, state);
  await connection.close();
  const root = state.workload?.processes[0];
  return record({
    ...base,
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
    ...(objectiveMs === undefined ? {} : { downtimeObjectiveMs: objectiveMs }),
    phasesMs: phases.finish(),
    durationMs: performance.now() - beganAtMs,
    ...(missed ? { failure: failure ?? missed } : {}),
    undoFailures,
  });
}

function missedObjective(
  downtimeMs: number | undefined,
  objectiveMs: number | undefined,
): FailureData | undefined {
  if (downtimeMs === undefined || objectiveMs === undefined || downtimeMs <= objectiveMs) return undefined;
  return {
    code: 'OBJECTIVE_MISSED',
    message: `The downtime was at most ${Math.round(downtimeMs)} ms; the objective is ${objectiveMs} ms`,
    hint: 'The workload runs on the destination.',
  };
}

/** The steps as reporters show them: what the engine does around the freeze has lines of its own. */
function viewOf(plan: Plan): StepView[] {
  return [
    ...plan.steps.flatMap((step) => [
      ...(step.uses === 'dump' ? [{ id: 'prepare', uses: 'prepare', title: 'Prepare both hosts' }] : []),
      { id: step.id, uses: step.uses, title: step.title },
    ]),
    { id: 'clean-up', uses: 'clean-up', title: 'Clean up both hosts' },
  ];
}
