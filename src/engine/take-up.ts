import { CriuHold } from '../criu/hold.ts';
import { FlowError } from '../errors/flow-error.ts';
import type { EmitEvent, RunSummary } from '../events/event.ts';
import { stateOf } from '../lock/controller.ts';
import { describeHolder, listLocks, readBoot } from '../lock/workload-lock.ts';
import { digestOf } from '../plan/digest.ts';
import { actingSteps, type Plan } from '../plan/plan.ts';
import { RunDirectory } from '../store/run-directory.ts';
import { readRun, type StoredRun } from '../store/read-run.ts';
import { requireSameProcess } from '../workload/identity.ts';
import { type Connection, connectLeniently } from './connection.ts';
import { type Progress, readProgress } from './read-progress.ts';
import { finishRun } from './run-plan.ts';
import { readSecretsLeniently } from './secrets.ts';
import { type Goal, Session, viewOf } from './session.ts';
import { type EarlierAttempt, hostDirectoryOf, pastCommit, StepRunner } from './step-runner.ts';

export interface TakeUpOptions {
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
  /** Instead of the file that the run began with, as on another machine. */
  readonly sshConfigFile?: string | undefined;
  /** Takes the run from a controller that is still at work. */
  readonly takeOver?: boolean | undefined;
  /** Goes on although the plan, or what it is about, has changed. */
  readonly force?: boolean | undefined;
}

/**
 * Takes back what a run left that came to no end, up to the commit point. Idempotent; a rollback that was cut off goes
 * on where it was.
 * @throws FlowError RESUME_REFUSED after the commit point, LOCKED while its controller is at work, HOST_UNREACHABLE
 */
export async function rollBackRun(run: StoredRun, options: TakeUpOptions): Promise<RunSummary | undefined> {
  const taken = await takeUp(run, options);
  if (!taken) return undefined;
  if (taken.isCommitted) {
    await taken.connection.close();
    throw pastCommit(run.runId);
  }
  return takeBack(run, taken, options);
}

/**
 * Brings a run to its end that came to none. After the commit point it goes on from there. Before, what was begun is
 * taken back, and the move begins anew. Idempotent.
 * @throws FlowError RESUME_REFUSED when what the run is about has changed, LOCKED while its controller is at work,
 *   HOST_UNREACHABLE
 */
export async function resumeRun(run: StoredRun, options: TakeUpOptions): Promise<RunSummary | undefined> {
  const taken = await takeUp(run, options);
  if (!taken) return undefined;
  if (taken.isCommitted) return goForward(run, taken, options);
  if (options.force !== true) await requireUnchanged(run.runId, taken);
  const rolledBack = await takeBack(run, taken, options);
  // Whoever was at work until the locks were taken has committed: looked at again, there is only forward.
  const isPast = rolledBack.undoFailures.some(({ code }) => code === 'RESUME_REFUSED');
  if (isPast) return resumeRun(readRun(run.path), options);
  if (rolledBack.outcome !== 'rolled-back') return rolledBack;
  // What the rollback wrote down is part of it now.
  return runAgain(readRun(run.path), taken, options);
}

interface Taken {
  readonly plan: Plan;
  readonly progress: Progress;
  readonly connection: Connection;
  readonly epoch: number;
  /** The source was told to end its copy. */
  readonly isCommitted: boolean;
  readonly wasAtWork: boolean;
}

const OVER: ReadonlySet<string | undefined> = new Set(['done', 'refused', 'rolled-back', 'moved-but-missed']);

/** Looks at the journal and, more, at the hosts. Changes nothing. @returns undefined for a run that has ended */
async function takeUp(run: StoredRun, options: TakeUpOptions): Promise<Taken | undefined> {
  const plan = run.plan as Plan;
  if (options.force !== true && digestOf(plan) !== plan.digest) {
    throw new FlowError('RESUME_REFUSED', `The plan of run ${run.runId} is not the one that it began with`, {
      hint: `Take ${run.path}/plan.json from a backup, or go on all the same with --force.`,
    });
  }
  const progress = readProgress(run.records);
  const connection = await connectLeniently(
    plan,
    options.sshConfigFile ?? run.header.sshConfigFile,
    options.signal,
  );
  try {
    const locks = (await Promise.all([connection.source, connection.destination].map(locksOf)))
      .flat()
      .filter((lock) => lock.runId === run.runId);
    const alive = locks.find(({ controller }) => controller !== undefined && stateOf(controller) === 'alive');
    if (alive && options.takeOver !== true) {
      throw new FlowError('LOCKED', `Run ${run.runId} is still at work`, {
        evidence: describeHolder(alive),
        hint: 'Let it come to its end, or interrupt it with ^C. One that hangs can be taken over with --take-over.',
      });
    }
    const epoch = 1 + Math.max(progress.epoch, ...locks.map((lock) => lock.epoch));
    if (locks.length === 0 && OVER.has(progress.outcome)) {
      await connection.close();
      return undefined;
    }
    const decision = await CriuHold.of(
      connection.source,
      `${hostDirectoryOf(run.runId, progress.movedInEpoch)}/dump`,
    ).decided();
    return {
      plan,
      progress,
      connection,
      epoch,
      // Once the hosts are cleaned up only the journal knows; forward there is nothing left that could end a copy.
      isCommitted: decision === 'commit' || hasFinishedCommit(plan, progress),
      wasAtWork: locks.some(({ controller }) => controller === undefined || stateOf(controller) !== 'ended'),
    };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

function hasFinishedCommit(plan: Plan, { finished }: Progress): boolean {
  return plan.steps.some((step) => step.uses === 'commit' && finished.has(step.id));
}

/** A destination that is gone must not keep the source from being put right. */
async function locksOf(host: Connection['source']): ReturnType<typeof listLocks> {
  try {
    return await listLocks(host);
  } catch {
    return [];
  }
}

async function takeBack(run: StoredRun, taken: Taken, options: TakeUpOptions): Promise<RunSummary> {
  const { session, runner } = await begin(run, taken, options, 'rollback');
  const undoFailures = await runner.rollBack({
    code: 'INTERRUPTED',
    message: 'The controller of this run had ended',
  });
  const outcome = undoFailures.length > 0 ? 'rollback-incomplete' : 'rolled-back';
  return session.finish({ outcome, failure: undefined, undoFailures }, runner.state, taken.connection);
}

async function goForward(run: StoredRun, taken: Taken, options: TakeUpOptions): Promise<RunSummary> {
  const { session, runner } = await begin(run, taken, options, 'resume');
  runner.state.committed = true;
  return finishRun(session, runner, await runner.run(), taken.connection);
}

async function runAgain(run: StoredRun, taken: Taken, options: TakeUpOptions): Promise<RunSummary> {
  const connection = await connectLeniently(taken.plan, options.sshConfigFile ?? run.header.sshConfigFile);
  const again = { ...taken, connection, epoch: taken.epoch + 1 };
  const { session, runner } = await begin(run, again, options, 'run');
  return finishRun(session, runner, await runner.run(), connection);
}

async function begin(
  run: StoredRun,
  taken: Taken,
  options: TakeUpOptions,
  goal: Goal,
): Promise<{ readonly session: Session; readonly runner: StepRunner }> {
  const { plan, connection, epoch, progress } = taken;
  let directory;
  try {
    directory = RunDirectory.reopen(run);
  } catch (error) {
    await connection.close();
    throw error;
  }
  const session = new Session({ plan, runId: run.runId, directory, emit: options.emit });
  const steps = viewOf(plan).filter(({ id }) =>
    goal === 'rollback' ? isAtEnd(plan, id) : goal === 'run' || isAfterCommit(plan, id),
  );
  session.begin(goal, epoch, steps);
  const earlier: EarlierAttempt = {
    epoch: progress.movedInEpoch,
    progress: () => readProgress(readRun(run.path).records),
    wasAtWork: taken.wasAtWork,
  };
  const secrets = await readSecretsLeniently(plan.secrets, connection.local, (text) =>
    session.emit({ kind: 'warning', text }),
  );
  const redactor = session.hide(secrets);
  const runner = new StepRunner({
    plan,
    secrets,
    redactor,
    runId: run.runId,
    epoch,
    connection,
    emit: session.emit,
    directory,
    signal: options.signal,
    sshConfigFile: options.sshConfigFile ?? run.header.sshConfigFile,
    keepImages: run.header.keepImages,
    ...(goal === 'run' ? {} : { earlier }),
  });
  return { session, runner };
}

/** What is done at the end of a rollback too. */
function isAtEnd(plan: Plan, id: string): boolean {
  return id === 'clean-up' || plan.always.some((step) => step.id === id);
}

function isAfterCommit(plan: Plan, id: string): boolean {
  const commit = plan.steps.findIndex((step) => step.uses === 'commit');
  return isAtEnd(plan, id) || actingSteps(plan.steps.slice(commit)).some((step) => step.id === id);
}

async function requireUnchanged(runId: string, { progress, connection }: Taken): Promise<void> {
  if (!progress.workload) return;
  try {
    for (const side of ['source', 'destination'] as const) {
      const { name } = connection[side];
      if (progress.boots && (await readBoot(connection[side])) !== progress.boots[side]) {
        throw new FlowError('RESUME_REFUSED', `${name} was started again since the run began`, {
          host: name,
          hint: 'What the run had prepared there is of the earlier boot. Roll it back, then begin a new run; or resume it all the same with --force.',
          command: `criu-flow rollback ${runId}`,
        });
      }
    }
    await requireSameProcess(connection.source, progress.workload);
  } catch (error) {
    await connection.close();
    if (!(error instanceof FlowError) || error.code !== 'WORKLOAD_NOT_FOUND') throw error;
    throw new FlowError('RESUME_REFUSED', error.message, {
      ...(error.host === undefined ? {} : { host: error.host }),
      ...(error.command === undefined ? {} : { command: error.command }),
      hint: 'What the run was to move is not there any more. Roll it back, then begin a new run.',
    });
  }
}
