import { FlowError } from '../errors/flow-error.ts';
import type { EmitEvent, RunSummary, Strategy } from '../events/event.ts';
import { describeHolder, stateOf } from '../lock/controller.ts';
import { type ListedLock, readBoot } from '../lock/workload-lock.ts';
import { digestOf } from '../plan/digest.ts';
import { actingSteps, isPostCopied, type Plan } from '../plan/plan.ts';
import { type FlowCommand, flowCommandOf } from '../store/flow-command.ts';
import { RunDirectory } from '../store/run-directory.ts';
import { readRun, type StoredRun } from '../store/read-run.ts';
import { requireSameProcess, survivors } from '../workload/identity.ts';
import { type Connection, connectLeniently } from './connection.ts';
import { decidedPlan, strategyOf } from './decided-plan.ts';
import { outcomeOfRollback } from './outcome.ts';
import { type LostOnSource, whyLost } from './forgotten.ts';
import { keptAtEnd } from './kept-images.ts';
import { type Progress, readProgress } from './read-progress.ts';
import { finishRun } from './run-plan.ts';
import { lookAtRun } from './run-on-host.ts';
import { readSecretsLeniently } from './secrets.ts';
import { type Goal, Session, viewOf } from './session.ts';
import { type EarlierAttempt, StepRunner } from './step-runner.ts';
import { nothingToTakeBack, pastCommit } from './refusals.ts';
import type { AttemptEnd } from './to-do.ts';

export interface TakeUpOptions {
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
  /** Instead of the file that the run began with, as on another machine. */
  readonly sshConfigFile?: string | undefined;
  /** Takes the run from a controller that is still at work, or that cannot be seen from here. */
  readonly takeOver?: boolean | undefined;
  /** Goes on although the plan, or what it is about, has changed. */
  readonly force?: boolean | undefined;
  /**
   * A person answers for it that the source, which cannot be reached, will never run the workload again: what came to the
   * destination may then run. @default false
   */
  readonly sourceIsGone?: boolean | undefined;
}

/**
 * Takes back what a run left that came to no end, up to the commit point. Idempotent; a rollback that was cut off goes
 * on where it was.
 * @throws FlowError RESUME_REFUSED after the commit point, and when the run's directory does not know its end; LOCKED while its
 *   controller is at work, or may be; HOST_UNREACHABLE when the source does not answer, which decides
 */
export async function rollBackRun(run: StoredRun, options: TakeUpOptions): Promise<RunSummary | undefined> {
  const taken = await takeUp(run, options);
  if (!taken) return undefined;
  if (taken.isCommitted) {
    await taken.connection.close();
    throw pastCommit(run.runId, commandOf(run, options));
  }
  await requireSource(run.runId, taken, commandOf(run, options));
  await requireRemembered(run.runId, taken, commandOf(run, options));
  const summary = await takeBack(run, taken, options);
  tellOfImages(taken, summary, options);
  return summary;
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
  const summary = await resumeTaken(run, taken, options);
  tellOfImages(taken, summary, options);
  return summary;
}

/** What is left of a revert is the memory of a workload: nobody else would know of it. */
function tellOfImages({ plan, progress }: Taken, summary: RunSummary, { emit }: TakeUpOptions): void {
  const text = keptAtEnd(plan, progress.kept, summary);
  if (text !== undefined) emit({ kind: 'warning', text });
}

async function resumeTaken(run: StoredRun, taken: Taken, options: TakeUpOptions): Promise<RunSummary> {
  if (taken.isCommitted) return goForward(run, taken, options);
  if (options.sourceIsGone === true) {
    await requireLost(taken);
    return goForward(run, taken, options);
  }
  await requireSource(run.runId, taken, commandOf(run, options));
  await requireRemembered(run.runId, taken, commandOf(run, options));
  if (options.force !== true) await requireUnchanged(taken, commandOf(run, options));
  const rolledBack = await takeBack(run, taken, options);
  // Whoever was at work until the locks were taken has committed: looked at again, there is only forward.
  const isPast = rolledBack.undoFailures.some(({ code }) => code === 'RESUME_REFUSED');
  if (isPast) return goForwardAfterAll(readRun(run.path), options, rolledBack);
  // What was to be ended, and has ended by itself, is in the way of nothing.
  const isOnlyLost = rolledBack.undoFailures.every(({ code }) => code === 'WORKLOAD_LOST');
  const isToGoOn = taken.plan.workload.kind === 'revert' && isOnlyLost;
  if (rolledBack.outcome !== 'rolled-back' && !isToGoOn) return rolledBack;
  // What the rollback wrote down is part of it now.
  return runAgain(readRun(run.path), taken, options);
}

interface Taken {
  readonly plan: Plan;
  /** How the memory moved, as far as that was chosen. */
  readonly strategy: Strategy;
  readonly progress: Progress;
  readonly connection: Connection;
  readonly epoch: number;
  /** The source was told to end its copy, or has ended it. */
  readonly isCommitted: boolean;
  /** The source answers, and cannot bring its copy back, which has ended. */
  readonly lostOnSource: LostOnSource | undefined;
  /** There are whole images on the destination. */
  readonly hasImages: boolean;
  readonly wasAtWork: boolean;
}

const OVER: ReadonlySet<string | undefined> = new Set(['done', 'refused', 'rolled-back', 'moved-but-missed']);

/** Looks at the journal and, more, at the hosts. Changes nothing. @returns undefined for a run that has ended */
async function takeUp(run: StoredRun, options: TakeUpOptions): Promise<Taken | undefined> {
  const written = run.plan as Plan;
  if (options.force !== true && digestOf(written) !== written.digest) {
    throw new FlowError('RESUME_REFUSED', `The plan of run ${run.runId} is not the one that it began with`, {
      hint: `Take ${run.path}/plan.json from a backup, or go on all the same with --force.`,
    });
  }
  const progress = readProgress(run.records);
  const connection = await connectLeniently(
    written,
    options.sshConfigFile ?? run.header.sshConfigFile,
    options.signal,
  );
  try {
    const [source, destination] = await Promise.all([
      lookAtRun(connection.source, run.runId, connection.lost.source),
      lookAtRun(connection.destination, run.runId, connection.lost.destination),
    ]);
    const strategy = strategyOf(progress, [source, destination]);
    const plan = decidedPlan(written, strategy);
    const locks = [source, destination].flatMap(({ lock }) => (lock ? [lock] : []));
    if (options.takeOver !== true) requireNobodyAtWork(run.runId, locks);
    // A source whose memory could not be fetched, which a person has let run on: it has the last word.
    const isTakenBack = isPostCopied(plan) && source.decision === 'abort';
    const hasCommitted =
      source.decision === 'commit' ||
      // It is told so when the source's copy has ended.
      destination.decision === 'commit' ||
      progress.sourceHasEnded ||
      // Once the hosts are cleaned up only the journal knows; forward there is nothing left that could end a copy.
      hasFinishedCommit(plan, progress);
    const isCommitted = hasCommitted && !isTakenBack;
    const isLeft = [source, destination].some(({ lock, epochs }) => lock !== undefined || epochs.length > 0);
    if (!isLeft && OVER.has(progress.outcome)) {
      await connection.close();
      return undefined;
    }
    const { lost } = connection;
    const isToBeThere = plan.kind !== 'restore' && plan.workload.kind !== 'revert';
    if (isToBeThere && !isLeft && !isCommitted && !lost.source && !lost.destination) {
      await requireOnSource(run.runId, progress, connection, commandOf(run, options));
    }
    const newest = Math.max(0, ...source.epochs, ...destination.epochs);
    requireNewest(run, progress, newest, commandOf(run, options));
    return {
      plan,
      strategy,
      progress,
      connection,
      epoch: 1 + Math.max(progress.epoch, ...locks.map((lock) => lock.epoch)),
      isCommitted,
      lostOnSource:
        isCommitted || lost.source ? undefined : await whyLost(connection.source, source, progress, plan),
      hasImages: destination.hasImages,
      wasAtWork: locks.some(({ controller }) => controller === undefined || stateOf(controller) !== 'ended'),
    };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** @throws FlowError LOCKED unless every controller that has a lock of the run is known to have ended */
function requireNobodyAtWork(runId: string, locks: readonly ListedLock[]): void {
  const alive = locks.find(({ controller }) => controller && stateOf(controller) === 'alive');
  if (alive) {
    throw new FlowError('LOCKED', `Run ${runId} is still at work`, {
      evidence: describeHolder(alive.controller),
      hint: 'Let it come to its end, or interrupt it with ^C. One that hangs can be taken over with --take-over.',
    });
  }
  const unsure = locks.find(({ controller }) => !controller || stateOf(controller) === 'elsewhere');
  if (!unsure) return;
  const { controller } = unsure;
  const look = controller
    ? `Look on ${controller.machine}: “ps -fp ${controller.pid}” says there whether it runs, “criu-flow runs show ${runId}” what it does.`
    : 'Make sure that nobody works on it.';
  throw new FlowError('LOCKED', `Whether run ${runId} is still at work cannot be seen from here`, {
    evidence: describeHolder(controller),
    hint: `${look} Only when it has ended, take it over with --take-over.`,
  });
}

/**
 * Nothing of the run is on the hosts, so it was cleaned up, or has touched nothing. A journal that does not know more must not
 * undo anything of a workload that has moved since.
 * @throws FlowError RESUME_REFUSED when it is not on the source
 */
async function requireOnSource(
  runId: string,
  { workload }: Progress,
  { source }: Connection,
  command: FlowCommand,
): Promise<void> {
  if (!workload) return;
  const alive = await survivors(source, workload.processes);
  if (alive.length === 0) throw nothingToTakeBack(runId, source.name, command);
}

/** @throws FlowError RESUME_REFUSED when an attempt that this directory does not know has begun the move anew */
function requireNewest(
  run: StoredRun,
  { movedInEpoch }: Progress,
  newest: number,
  command: FlowCommand,
): void {
  if (newest <= movedInEpoch) return;
  throw new FlowError('RESUME_REFUSED', `Run ${run.runId} was taken up since ${run.path} was written`, {
    hint: `The hosts know attempt ${newest}, and this directory no later one than ${movedInEpoch}: it is an older copy. Go on where the newer one is.`,
    command: command('status'),
  });
}

/** Only the source can say whether there is a way back. */
async function requireSource(runId: string, { connection }: Taken, command: FlowCommand): Promise<void> {
  const { source: lost } = connection.lost;
  if (!lost) return;
  await connection.close();
  throw new FlowError(
    lost.code,
    `${connection.source.name} decides what becomes of run ${runId}, and cannot be reached`,
    {
      host: connection.source.name,
      evidence: lost.evidence ?? lost.message,
      hint: `Try again when it answers. When it is gone for good, and only then, what came to ${connection.destination.name} may run without it: ${command('resume', '--source-is-gone')}`,
      command: command('status'),
    },
  );
}

/** Where the source cannot bring its copy back, what the destination has may be all that there is of it. */
async function requireRemembered(
  runId: string,
  { connection, lostOnSource, hasImages }: Taken,
  command: FlowCommand,
): Promise<void> {
  if (lostOnSource === undefined || !hasImages) return;
  await connection.close();
  const { source, destination } = connection;
  const why = {
    forgotten: `${source.name} was started again, and has nothing of run ${runId} any more`,
    imageless: `The workload has ended on ${source.name}, which has no whole images of it`,
    unsure: `${source.name} was started again before its images and files were on its disk, and parts of them may be lost`,
  }[lostOnSource];
  const since =
    lostOnSource === 'forgotten' ? `, and lose what it may have done on ${source.name} since` : '';
  throw new FlowError('RESUME_REFUSED', `${why}: there is no way back`, {
    host: source.name,
    hint: `The images on ${destination.name} are whole, of the moment in which it was frozen. To let it go on from there${since}, run the command.`,
    command: command('resume', '--source-is-gone'),
  });
}

/** What a person answers for must at least look like it. */
async function requireLost({ connection, hasImages, lostOnSource }: Taken): Promise<void> {
  const { source, destination, lost } = connection;
  const refuse = async (host: string, message: string, hint: string): Promise<never> => {
    await connection.close();
    throw new FlowError('RESUME_REFUSED', message, { host, hint });
  };
  // One that refuses a login, or shows another key, is there.
  if (lost.source?.code !== 'HOST_UNREACHABLE' && lostOnSource === undefined) {
    const hint = lost.source?.message ?? 'Resume without --source-is-gone.';
    await refuse(source.name, `${source.name} answers: it is not gone`, hint);
  }
  if (!hasImages) {
    await refuse(
      destination.name,
      `There are no whole images of the workload on ${destination.name}`,
      'The source was lost before they were carried there: start the workload as it is started otherwise.',
    );
  }
}

function commandOf(run: StoredRun, { sshConfigFile }: TakeUpOptions): FlowCommand {
  return flowCommandOf(run, sshConfigFile);
}

function hasFinishedCommit(plan: Plan, { finished }: Progress): boolean {
  return plan.steps.some((step) => step.uses === 'commit' && finished.has(step.id));
}

async function takeBack(run: StoredRun, taken: Taken, options: TakeUpOptions): Promise<RunSummary> {
  const { session, runner } = await begin(run, taken, options, 'rollback');
  const undoFailures = await runner.rollBack({
    code: 'INTERRUPTED',
    message: 'The controller of this run had ended',
  });
  const outcome = outcomeOfRollback(undoFailures);
  // Who else has the run, or its workload, is what a person must hear first.
  const isStopped = outcome === 'superseded' || outcome === 'locked';
  const end: AttemptEnd = isStopped
    ? { outcome, failure: undoFailures[0], undoFailures: undoFailures.slice(1) }
    : { outcome, failure: undefined, undoFailures };
  return session.finish(end, runner.state, taken.connection);
}

async function goForward(run: StoredRun, taken: Taken, options: TakeUpOptions): Promise<RunSummary> {
  const { session, runner } = await begin(run, taken, options, 'resume');
  runner.state.committed = true;
  // It is past the commit point though the source cannot say so: the destination, the journal or a person does.
  if (taken.connection.lost.source || taken.lostOnSource) runner.state.sourceHasEnded = true;
  if (taken.lostOnSource) runner.state.isSourceToRelinquish = true;
  return finishRun(session, runner, await runner.run(), taken.connection);
}

async function goForwardAfterAll(
  run: StoredRun,
  options: TakeUpOptions,
  rolledBack: RunSummary,
): Promise<RunSummary> {
  const taken = await takeUp(run, { ...options, takeOver: true });
  if (taken?.isCommitted === true) return goForward(run, taken, options);
  await taken?.connection.close();
  return rolledBack;
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
  const sshConfigFile = options.sshConfigFile ?? run.header.sshConfigFile;
  const session = new Session({ plan, runId: run.runId, directory, emit: options.emit, sshConfigFile });
  const steps = viewOf(plan).filter(({ id }) =>
    goal === 'rollback' ? isAtEnd(plan, id) : goal === 'run' || isAfterCommit(plan, id),
  );
  session.begin(goal, epoch, steps);
  const earlier: EarlierAttempt = {
    epoch: progress.movedInEpoch,
    progress: () => readProgress(readRun(run.path).records),
    wasAtWork: taken.wasAtWork,
    strategy: taken.strategy,
  };
  const secrets = await readSecretsLeniently(plan.secrets, connection.local, (text) =>
    session.emit({ kind: 'warning', text }),
  );
  const redactor = session.hide(secrets);
  const runner = new StepRunner({
    // What was chosen is known for sure once the locks are held.
    plan: run.plan as Plan,
    secrets,
    redactor,
    runId: run.runId,
    epoch,
    connection,
    emit: session.emit,
    directory,
    signal: options.signal,
    sshConfigFile,
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

async function requireUnchanged({ plan, progress, connection }: Taken, command: FlowCommand): Promise<void> {
  if (!progress.workload) return;
  try {
    // What was to be ended may have ended by itself, or with its host.
    const isRevert = plan.workload.kind === 'revert';
    for (const side of isRevert ? (['destination'] as const) : (['source', 'destination'] as const)) {
      const { name } = connection[side];
      if (progress.boots && (await readBoot(connection[side])) !== progress.boots[side]) {
        throw new FlowError('RESUME_REFUSED', `${name} was started again since the run began`, {
          host: name,
          hint: 'What the run had prepared there is of the earlier boot. Roll it back, then begin a new run; or resume it all the same with --force.',
          command: command('rollback'),
        });
      }
    }
    if (plan.kind !== 'restore' && !isRevert) await requireSameProcess(connection.source, progress.workload);
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
