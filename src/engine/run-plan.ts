import type { EmitEvent, FailureData, ProbeReport, RunSummary } from '../events/event.ts';
import type { Plan } from '../plan/plan.ts';
import { planBack } from '../plan/plan-back.ts';
import { planRevert } from '../plan/plan-revert.ts';
import { RunDirectory } from '../store/run-directory.ts';
import { type Connection, connect } from './connection.ts';
import { keptAtEnd } from './kept-images.ts';
import { outcomeOf } from './outcome.ts';
import { readSecrets } from './secrets.ts';
import { downtimeOf, Session, viewOf } from './session.ts';
import { type Replacement, StepRunner, type StepRunnerResult } from './step-runner.ts';

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
  const once = await runOnce(plan, options);
  const { summary: there } = once;
  const wayBack = options.signal.aborted ? undefined : wayBackOf(plan, once);
  const warn = (text: string): void => options.emit({ kind: 'warning', text });
  const tellOfImages = (at: RunSummary): void => {
    const text = keptAtEnd(plan, once.replacement, at);
    if (text !== undefined) warn(text);
  };
  if (!wayBack) {
    tellOfImages(there);
    // Nobody else brings it back.
    return once.replacement && there.workloadIsOn === 'nowhere' ? { ...there, exitCode: 6 } : there;
  }
  warn(`A step failed after the commit: ${wayBack.words} (onFailure: ${plan.onFailure}).`);
  const { summary: back } = await runOnce(wayBack.plan, { ...options, keepImages: false });
  // For whoever asked for the first run: it is where it was, or still where that has left it, or a person is needed.
  if (back.workloadIsOn === 'destination') return { ...back, exitCode: 5 };
  tellOfImages(back);
  const needsPerson = back.exitCode === 6 || back.workloadIsOn !== 'source';
  return { ...back, exitCode: needsPerson ? 6 : there.exitCode };
}

/** What another pause would not mend, and a person's own wish. */
const OVER: ReadonlySet<FailureData['code'] | undefined> = new Set([
  'OBJECTIVE_MISSED',
  'OUTAGE_TOO_LONG',
  'INTERRUPTED',
]);

function isToGoBack({ code }: FailureData): boolean {
  return !OVER.has(code);
}

/** How the workload comes back, when it is to and the run has left nothing that must be cleaned up first. */
function wayBackOf(
  plan: Plan,
  { summary: there, hasFailedMoved, replacement }: Once,
): { readonly plan: Plan; readonly words: string } | undefined {
  const { workload, outcome, workloadIsOn, undoFailures, failure } = there;
  if (!workload || !hasFailedMoved || outcome !== 'moved-but-missed' || undoFailures.length > 0)
    return undefined;
  if (replacement) {
    const words = `the workload is ended on ${plan.destination}, and restored on ${plan.source} as it was when it moved`;
    return { plan: planRevert(plan, replacement), words };
  }
  if (
    plan.onFailure !== 'migrate-back' ||
    workloadIsOn !== 'destination' ||
    (failure && !isToGoBack(failure))
  )
    return undefined;
  return {
    plan: planBack(plan, workload.pid),
    words: `the workload is moved back to ${plan.source}`,
  };
}

interface Once {
  readonly summary: RunSummary;
  /** A step has failed after the workload had moved. */
  readonly hasFailedMoved: boolean;
  /** The images of the moment in which it moved, when it is to be reverted. */
  readonly replacement?: Replacement | undefined;
}

async function runOnce(plan: Plan, options: RunPlanOptions): Promise<Once> {
  const { sshConfigFile, keepImages } = options;
  const directory = RunDirectory.createNew(plan, { sshConfigFile, keepImages });
  const { runId } = directory;
  const session = new Session({ plan, runId, directory, emit: options.emit, sshConfigFile });
  const epoch = 1;
  session.begin('run', epoch, viewOf(plan));
  let connection: Connection | undefined;
  let secrets;
  try {
    connection = await connect(plan, sshConfigFile, options.signal);
    secrets = await readSecrets(plan.secrets, connection.local);
  } catch (error) {
    await connection?.close();
    return { summary: session.refuse(error), hasFailedMoved: false };
  }
  const redactor = session.hide(secrets);
  const runner = new StepRunner({
    ...options,
    plan,
    runId,
    epoch,
    connection,
    emit: session.emit,
    directory,
    secrets,
    redactor,
    ...(plan.onFailure === 'revert' && { isToRevert: isToGoBack }),
  });
  const summary = await finishRun(session, runner, await runner.run(), connection);
  return { summary, hasFailedMoved: runner.hasFailedMoved, replacement: runner.replacement };
}

/** What a run has come to, once its steps have. */
export async function finishRun(
  session: Session,
  runner: StepRunner,
  { failure, undoFailures, isLost = false, probes = [] }: StepRunnerResult,
  connection: Connection,
): Promise<RunSummary> {
  const { state } = runner;
  const missed =
    missedObjective(session.plan, downtimeOf(state)) ?? missedOutage(session.plan, probes) ?? failure;
  const outcome = outcomeOf({
    touched: runner.touched,
    committed: state.committed,
    released: state.releasedAtMs !== undefined,
    failure,
    superseded: [failure, ...undoFailures].some((each) => each?.code === 'SUPERSEDED'),
    undoFailed: undoFailures.length > 0,
    objectiveMissed: missed !== undefined,
    lost: isLost,
  });
  return session.finish({ outcome, failure: failure ?? missed, undoFailures, probes }, state, connection);
}

function missedOutage(plan: Plan, probes: readonly ProbeReport[]): FailureData | undefined {
  const missed = probes.find(({ longestOutageMs, outageMs = Infinity }) => longestOutageMs > outageMs);
  return (
    missed && {
      code: 'OUTAGE_TOO_LONG',
      message: `The probe ${missed.probe} had no good answer for ${Math.round(missed.longestOutageMs)} ms; ${missed.outageMs} ms are the most`,
      hint: whereItRuns(plan),
    }
  );
}

function whereItRuns({ kind }: Plan): string {
  return `The workload runs on the ${kind === 'checkpoint' ? 'source' : 'destination'}.`;
}

function missedObjective(plan: Plan, downtimeMs: number | undefined): FailureData | undefined {
  const objectiveMs = plan.objectives.downtimeMs;
  if (downtimeMs === undefined || objectiveMs === undefined || downtimeMs <= objectiveMs) return undefined;
  return {
    code: 'OBJECTIVE_MISSED',
    message: `The downtime was at most ${Math.round(downtimeMs)} ms; the objective is ${objectiveMs} ms`,
    hint: whereItRuns(plan),
  };
}
