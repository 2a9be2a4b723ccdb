import { FlowError } from '../errors/flow-error.ts';
import { toFailureData } from '../events/failure-data.ts';
import type { EmitEvent, FailureData, ProbeReport, Strategy } from '../events/event.ts';
import {
  type ActingStep,
  actingSteps,
  type CommandSpec,
  isPostCopied,
  type Plan,
  type RevertSelector,
  withStrategy,
} from '../plan/plan.ts';
import { allOver } from '../steps/all-over.ts';
import { chooseStrategy } from '../steps/choose-strategy.ts';
import { runCommand } from '../steps/command.ts';
import { isNothingLeft, memoryLost } from '../steps/post-copy.ts';
import { STEP_TYPES, timeoutOf, undoTitleOf } from '../steps/registry.ts';
import type { Action, CleanUp, RunState, StepContext } from '../steps/step.ts';
import { readAnswers, untilAnswered } from '../store/approvals.ts';
import { type FlowCommand, flowCommandOf } from '../store/flow-command.ts';
import type { RunDirectory } from '../store/run-directory.ts';
import type { CheckpointRecord } from '../checkpoint/checkpoint.ts';
import { lookUpWorkload } from '../checkpoint/look-up.ts';
import { keepCheckpoint } from '../checkpoint/store.ts';
import { CriuHold, type Task } from '../criu/hold.ts';
import { areWhole } from '../criu/whole-images.ts';
import { readBoot } from '../lock/workload-lock.ts';
import type { StepResult, TemplateValues } from '../template/scope.ts';
import { idsOf, type WorkloadFacts } from '../workload/facts.ts';
import { readAlive } from '../workload/alive.ts';
import { survivors } from '../workload/identity.ts';
import type { Connection } from './connection.ts';
import { attemptIdOf, hostDirectoryOf } from './host-directory.ts';
import { RunHosts } from './run-hosts.ts';
import { leftBehind, nothingToTakeBack, pastCommit } from './refusals.ts';
import { decidedPlan } from './decided-plan.ts';
import { type FlowPort, runSteps, withRetries } from './control-flow.ts';
import type { Progress } from './read-progress.ts';
import type { Redactor } from './redactor.ts';
import { doesLock, LOCK_TIMEOUT_MS, lockTitle } from './session.ts';
import { abortReason, stepSignal } from './step-signal.ts';
import type { Asker } from '../steps/ask-check.ts';
import { ProbeWatch } from './probe-watch.ts';
import { attempt, UndoStack } from './undo-stack.ts';

/** An attempt of the run that came to no end. */
export interface EarlierAttempt {
  /** In which the move began. */
  readonly epoch: number;
  /** Reads how far it came; asked again once the locks are held and nobody can add to it. */
  readonly progress: () => Progress;
  /** Its controller may be alive, and may have done more on a destination that is gone than its journal says. */
  readonly wasAtWork: boolean;
  /** How the memory moves, unless the journal has another choice by then. */
  readonly strategy: Strategy;
}

export interface StepRunnerOptions {
  readonly plan: Plan;
  readonly runId: string;
  /** Counts the attempts of the run: hosts refuse the commands of an earlier one. */
  readonly epoch: number;
  /** Whose work this one takes back or brings to its end. */
  readonly earlier?: EarlierAttempt;
  readonly connection: Connection;
  readonly emit: EmitEvent;
  readonly directory: RunDirectory;
  readonly signal: AbortSignal;
  readonly sshConfigFile?: string | undefined;
  readonly keepImages?: boolean | undefined;
  /** Whether the images are kept as a checkpoint when the run ends with this failure after the commit. @default never */
  readonly isToRevert?: (failure: FailureData) => boolean;
  /** The values of secret inputs. */
  readonly secrets: ReadonlyMap<string, string>;
  /** Hides them. */
  readonly redactor: Redactor;
}

export interface StepRunnerResult {
  readonly failure: FailureData | undefined;
  readonly undoFailures: readonly FailureData[];
  /** The workload moved, and was not seen to be alive since. */
  readonly isLost?: boolean;
  /** What the probes have seen. */
  readonly probes?: readonly ProbeReport[];
}

/** The images that were kept on the source, and what they are to replace. */
export type Replacement = Omit<RevertSelector, 'kind'>;

/** Runs the steps in order, prepares them before the freeze, rolls back when one fails, and cleans up. */
export class StepRunner {
  readonly state: RunState;
  /** Whether anything on a host was changed. */
  touched = false;
  /** Whether a step has failed after the workload had moved. */
  hasFailedMoved = false;
  /** Set when `isToRevert` said so. */
  replacement: Replacement | undefined;
  readonly #options: StepRunnerOptions;
  /** Once it is known how the memory moves, the plan with that. */
  #plan: Plan;
  readonly #undos = new UndoStack();
  readonly #hosts: RunHosts;
  readonly #command: FlowCommand;
  /** Of an earlier attempt. */
  #began: ReadonlySet<string> = new Set();
  #finished: ReadonlySet<string> = new Set();
  #results = new Map<string, StepResult>();
  /** The root process that was seen on the destination. */
  #moved: (Task & { readonly boot: string }) | undefined;
  /** Whether the run has begun to do what its recipe says: it has the locks it needs. */
  #isUnderWay = false;

  /** Aborts with the run, or when a probe is without a good answer for too long. */
  readonly #signal: AbortSignal;
  readonly #watch: ProbeWatch;

  constructor(options: StepRunnerOptions) {
    this.#options = options;
    this.#plan = options.plan;
    // What is restored has ended, or the preflight refuses: there is no source that could decide.
    const isRestore = options.plan.kind === 'restore';
    this.state = { committed: false, restoreBegan: false, ...(isRestore && { sourceHasEnded: true }) };
    this.#hosts = new RunHosts(options);
    const outage = new AbortController();
    this.#signal = AbortSignal.any([options.signal, outage.signal]);
    // After the commit there is nothing to roll back to: then it is an objective that was missed.
    const onOutage = (error: FlowError): void => {
      if (!this.state.committed) outage.abort(error);
    };
    // It only looks: what runs on this machine needs no leave of the hosts.
    const asker = (): Omit<Asker, 'signal'> => ({
      ...this.#hosts.unwitnessed,
      values: () => this.#values(),
    });
    this.#watch = new ProbeWatch(options.plan.watches, asker, onOutage);
    this.#command = flowCommandOf(options.directory, options.sshConfigFile);
  }

  /** Runs all steps; or, of a run that has committed, those after the commit. */
  async run(): Promise<StepRunnerResult> {
    const result = await this.#runAndTidy();
    return { ...result, probes: this.#watch.stop() };
  }

  async #runAndTidy(): Promise<StepRunnerResult> {
    const { emit } = this.#options;
    const failure = await attempt(() => this.#runSteps());
    const { committed, releasedAtMs } = this.state;
    this.hasFailedMoved = failure !== undefined && committed && releasedAtMs !== undefined;
    // Whoever has taken the run up decides what becomes of it.
    if (failure?.code === 'SUPERSEDED') return { failure, undoFailures: [] };
    // After the decision to commit, a run that cannot confirm it must not act on what it believes.
    if (committed && releasedAtMs === undefined) return { failure, undoFailures: [] };
    // Once moved there is no way back: the `rollback` of a later step could start a second copy on the source.
    // And so has a workload that runs on after its checkpoint.
    const hasWayBack = this.touched && !committed && releasedAtMs === undefined;
    const undoFailures = failure && hasWayBack ? await this.#undos.rollBack(emit, failure) : [];
    const superseded = undoFailures.find(({ code }) => code === 'SUPERSEDED');
    if (superseded) return { failure, undoFailures: [superseded] };
    // Before the hosts are cleaned up, and their locks given up: then nobody could ask on them.
    this.#watch.stop();
    const atEnd = this.#isUnderWay ? await this.#runAlways() : undefined;
    const lost = committed ? await attempt(() => this.#requireMoved()) : undefined;
    const ended = failure ?? lost;
    if (committed && ended && this.#options.isToRevert?.(ended) === true) await this.#keepImages(lost);
    const first = failure ?? atEnd ?? (this.replacement && lost && endedThere(lost));
    // Who takes the run up has been told that there is nothing left to be brought back.
    const isLost = lost !== undefined && this.#options.earlier !== undefined && (await this.#hasNothing());
    if (lost && !this.replacement && !isLost)
      return { failure: first ?? lost, undoFailures: first ? [lost] : [], isLost: true };
    const left = await this.#finish(undoFailures);
    const late = left.find(({ code }) => code === 'SUPERSEDED');
    if (late) return { failure: first ?? late, undoFailures: first ? [late] : [] };
    if (left.length === 0)
      return {
        failure: first ?? (isLost ? lost : undefined),
        undoFailures: [...undoFailures, ...this.#lostOnSource()],
        isLost,
      };
    // Its lock is in the way of another run.
    this.hasFailedMoved = false;
    if (committed) {
      // It needs what is left.
      const isAtStake = left.some(({ code }) => code === 'CLEAN_UP_FAILED');
      const why = leftBehind(left, this.#command('resume'));
      return {
        failure: first ?? why,
        undoFailures: first && isAtStake ? [why] : undoFailures,
        isLost: isAtStake,
      };
    }
    return { failure: first, undoFailures: [...this.#grave(left), ...this.#lostOnSource()] };
  }

  /** Whether it has ended on the destination, without images, and on the source, too. */
  async #hasNothing(): Promise<boolean> {
    if (!isPostCopied(this.#plan)) return false;
    const context = this.#context('clean-up', new AbortController().signal);
    const look = async (): Promise<boolean> =>
      !(await areWhole(this.#hosts.destination, this.#hostDirectory)) && (await isNothingLeft(context));
    return look().catch(() => false);
  }

  /** Taken back or not, the workload is what a person asks for. */
  #lostOnSource(): readonly FailureData[] {
    const { lostOnSource } = this.state;
    return lostOnSource ? [toFailureData(lostOnSource)] : [];
  }

  /** A destination that is lost before its restore began has nothing but copies, and its lock to say so. */
  #grave(left: readonly FailureData[]): readonly FailureData[] {
    const { name } = this.#options.connection.destination;
    const isOfOneHost = this.#plan.kind !== 'move';
    const isGrave = ({ host, code }: FailureData): boolean =>
      isOfOneHost || this.state.restoreBegan || host !== name || code !== 'HOST_UNREACHABLE';
    const grave = left.filter(isGrave);
    return grave.length === 0 ? [] : [leftBehind(grave, this.#command('rollback'))];
  }

  /** Makes the images on the source a checkpoint there. What cannot be kept stays where it is, and so does the workload. */
  async #keepImages(lost: FailureData | undefined): Promise<void> {
    const { workload, frozenTasks } = this.state;
    // A destination that cannot be asked may run its copy.
    const hasEnded = lost?.code === 'WORKLOAD_LOST';
    if (!workload || !frozenTasks || (!hasEnded && !this.#moved)) return;
    const { runId, emit } = this.#options;
    const series = `revert-${runId}`;
    const record: CheckpointRecord = {
      ...{ version: 1, runId, createdAt: new Date().toISOString() },
      ...{ workload, tasks: frozenTasks, files: [] },
    };
    const failure = await attempt(async () => {
      const { source } = this.#hosts;
      const { signal } = new AbortController();
      const { id } = await keepCheckpoint(source, this.#hostDirectory, { series, keep: 1 }, record, signal);
      const boot = this.#moved?.boot ?? (await readBoot(this.#hosts.destination));
      const { pid, startTicks } = this.#moved ?? { pid: workload.rootPid, startTicks: 0 };
      this.replacement = { series, id, boot, ...(!hasEnded && { replaces: { pid, startTicks } }) };
      this.#options.directory.append({ kind: 'kept', series, id }, { durable: true });
      this.hasFailedMoved = true;
    });
    if (!failure) return;
    emit({
      kind: 'warning',
      text: `It cannot be reverted: its images on ${this.#plan.source} cannot be kept. ${failure.message}`,
    });
  }

  /** Once it has moved, the images are all that there is of it besides: they stay until it was seen to be alive. */
  async #requireMoved(): Promise<void> {
    const { destinationHold, workload } = this.state;
    if (!destinationHold || !workload) return;
    const { name } = destinationHold.host;
    const directory = this.#hostDirectory;
    const found = await destinationHold.findRestored(workload.rootPid);
    if (found !== 'gone') {
      if (found === 'cleaned') return;
      this.#options.directory.append({ kind: 'moved', ...found }, { durable: false });
      this.#moved = found;
      return;
    }
    if (isPostCopied(this.#plan))
      throw await memoryLost(this.#context('clean-up', new AbortController().signal));
    throw new FlowError(
      'WORKLOAD_LOST',
      `Process ${workload.rootPid} moved to ${name}, and has ended there`,
      {
        host: name,
        hint: `Nothing was cleaned up: its images, of the moment in which it moved, are complete in ${directory}/images on ${name}. The command brings that back; what the process did since is lost. Then resume the run.`,
        command: destinationHold.restoreCommand,
      },
    );
  }

  /**
   * Takes back what an earlier attempt of the run did. A destination that is gone does not keep the source from it.
   */
  async rollBack(reason: FailureData): Promise<readonly FailureData[]> {
    this.#adopt();
    const locking = await attempt(() => this.#lock());
    const { connection } = this.#options;
    const isDestination = this.#plan.kind === 'move' && locking?.host === connection.destination.name;
    if (locking && !(locking.code === 'HOST_UNREACHABLE' && isDestination)) return [locking];
    this.#adopt();
    if (this.#began.has('prepare')) this.#setHolds();
    const committed = await attempt(() => this.#requireNotCommitted());
    if (committed) return [committed];
    const undoFailures = await this.#undos.rollBack(this.#options.emit, reason);
    if (this.#isUnderWay) await this.#runAlways();
    if (locking && this.#options.earlier?.wasAtWork === true) undoFailures.push(locking);
    const left = await this.#finish(undoFailures);
    return [...(left.length === 0 ? undoFailures : this.#grave(left)), ...this.#lostOnSource()];
  }

  /** Read again under the lock: who was at work until then may have committed meanwhile, and cleaned up. */
  async #requireNotCommitted(): Promise<void> {
    const { sourceHold, destinationHold, workload } = this.state;
    const plan = this.#plan;
    const commit = plan.steps.find(({ uses }) => uses === 'commit');
    // Of a restore the one host decides, and what it held may be gone with it: the checkpoint is as it was.
    const stands = await (plan.kind === 'restore' ? destinationHold : sourceHold)?.look();
    // A person may have let a source run on whose memory could not be fetched.
    const isTakenBack = isPostCopied(plan) && stands?.decision === 'abort';
    const hasFinished = commit !== undefined && this.#finished.has(commit.id) && !isTakenBack;
    if (hasFinished || stands?.decision === 'commit') throw pastCommit(this.#options.runId, this.#command);
    if (stands?.isThere !== false || !workload || plan.kind === 'restore') return;
    const alive = await survivors(this.#hosts.source, workload.processes);
    if (alive.length > 0) return;
    // What is not on the destination either did not move: it ended while the run had hardly begun. A restored process may have
    // given itself another command line since: whoever has one of the pids, which preflight saw free, is in doubt the workload.
    const pids = workload.processes.map(({ pid }) => pid);
    const { alive: maybeMoved } = await readAlive(this.#hosts.destination, pids);
    if (maybeMoved.length === 0) return;
    throw nothingToTakeBack(this.#options.runId, this.#hosts.source.name, this.#command);
  }

  /** Makes an earlier attempt's effects this one's to undo, in the order in which they were made. */
  #adopt(): void {
    const { earlier } = this.#options;
    if (!earlier) return;
    const progress = earlier.progress();
    const plan = decidedPlan(this.#options.plan, progress.strategy ?? earlier.strategy);
    this.#plan = plan;
    const { workload, began, finished, results, undone } = progress;
    this.#undos.clear();
    // One that never had its locks has done nothing: what the recipe would take back may be another run's by now.
    this.#isUnderWay = finished.has('lock') || [...began].some((stepId) => stepId !== 'lock');
    if (this.#isUnderWay) this.#noteRecipeUndo();
    this.#results = new Map(results);
    this.#finished = finished;
    this.#began = began;
    if (workload) this.state.workload = workload;
    this.touched = began.size > 0;
    this.state.restoreBegan = plan.steps.some((step) => step.uses === 'restore' && began.has(step.id));
    const steps = actingSteps(plan.steps);
    for (const step of steps) {
      if (step.uses === 'prepare' && began.has(step.id)) {
        for (const each of steps) this.#noteUndo(STEP_TYPES[each.uses].prepare, each);
      }
      // What is not a recipe's own command looks at the host for the truth: its journal may be a copy that is old.
      const isSure = step.uses !== 'command' && began.has('prepare');
      if (began.has(step.id) || isSure) this.#noteUndo(STEP_TYPES[step.uses].main, step, began.has(step.id));
    }
    this.#undos.forget(undone);
  }

  /**
   * Cleans up and gives the locks up: that of a host on which something is left stays, for the run is not over there. What
   * could not be put back may need the images, and nobody else may come between.
   * @returns what is left
   */
  async #finish(undoFailures: readonly FailureData[]): Promise<readonly FailureData[]> {
    if (undoFailures.length > 0) return [];
    const { source, destination } = this.#options.connection;
    const { source: lost } = this.#options.connection.lost;
    // Whoever takes the run up when the source is back must find, on the destination, that the source's copy may not run again.
    if (this.state.committed && lost) {
      return [source, destination].map(({ name }) => ({ ...toFailureData(lost), host: name }));
    }
    const left = this.touched ? await this.#cleanUp() : [];
    const hosts = new Set(left.map(({ host }) => host));
    const locks = await this.#hosts.unlock(hosts);
    for (const { host, message } of locks) {
      this.#options.emit({ kind: 'warning', text: `The lock on ${host} is left: ${message}` });
    }
    return [...left, ...locks];
  }

  /**
   * Takes the workload's process ids on both hosts, or takes them over from an earlier attempt. Every command after it
   * looks first whether this is still so.
   */
  async #lock(): Promise<void> {
    const { workload, checkpoint, sourceHasEnded } = this.state;
    // Of a revert the copy that ends may have other processes by now than the one that takes its place.
    const ids = [workload, checkpoint?.workload].flatMap((facts) => (facts ? idsOf(facts) : []));
    const boots = await this.#hosts.lock([...new Set(ids)], sourceHasEnded !== true);
    if (boots) this.#options.directory.append({ kind: 'boots', ...boots }, { durable: false });
  }

  async #runSteps(): Promise<void> {
    const { committed } = this.state;
    if (committed) await this.#takeOver();
    const plan = this.#plan;
    if (!committed && doesLock(plan)) {
      const title = lockTitle(plan);
      await this.#show({ stepId: 'lock', title, timeoutMs: LOCK_TIMEOUT_MS }, async (hosts) => {
        const { workload, checkpoint } = await lookUpWorkload(hosts, plan.workload);
        if (checkpoint) this.state.checkpoint = checkpoint;
        this.#remember(workload);
        await this.#lock();
        return undefined;
      });
    }
    this.#isUnderWay = true;
    if (!committed) this.#noteRecipeUndo();
    const commit = plan.steps.findIndex(({ uses }) => uses === 'commit');
    if (committed) return runSteps(plan.steps.slice(commit), this.#flow());
    // What is left open until then is decided by the preparation.
    const begin = 1 + plan.steps.findIndex(({ uses }) => uses === 'prepare');
    await runSteps(plan.steps.slice(0, begin), this.#flow());
    await runSteps(this.#plan.steps.slice(begin), this.#flow());
  }

  #flow(): FlowPort {
    return {
      emit: this.#options.emit,
      signal: this.#signal,
      values: () => this.#values(),
      isFinished: (stepId) => this.state.committed && this.#finished.has(stepId),
      act: (step, until) => this.#step(step, until),
    };
  }

  async #step(step: ActingStep, signal: AbortSignal): Promise<void> {
    const retry = step.uses === 'command' ? step.retry : undefined;
    await this.#show(
      { stepId: step.id, title: step.title, timeoutMs: timeoutOf(step, this.#plan), signal },
      (context) => {
        if (step.uses === 'command' && step.readOnly !== true) this.touched = true;
        this.#noteUndo(STEP_TYPES[step.uses].main, step);
        return withRetries(retry, context.signal, context.detail, () =>
          STEP_TYPES[step.uses].main.run(context, step),
        );
      },
    );
    if (step.uses === 'commit') this.#undos.clear();
  }

  /** Does what is to be done however the run ended. A failure hides none that came before. */
  async #runAlways(): Promise<FailureData | undefined> {
    const { emit } = this.#options;
    let first: FailureData | undefined;
    for (const step of this.#plan.always) {
      const flow = { ...this.#flow(), signal: new AbortController().signal };
      const failure = await attempt(() => runSteps([step], flow));
      if (!failure) continue;
      first ??= failure;
      emit({ kind: 'warning', text: `“${step.title}”, which always runs, failed: ${failure.message}` });
    }
    return first;
  }

  /** Goes on after the commit point of an earlier attempt. */
  async #takeOver(): Promise<void> {
    this.#adopt();
    await this.#lock();
    this.#adopt();
    this.#setHolds();
    const commit = this.#plan.steps.find(({ uses }) => uses === 'commit');
    if (commit && this.#finished.has(commit.id)) this.state.releasedAtMs = performance.now();
  }

  /** The holds of an earlier attempt, on the hosts as they are locked now. */
  #setHolds(): void {
    const directory = this.#hostDirectory;
    // What is restored from a checkpoint was never held before.
    if (this.#plan.kind !== 'restore')
      this.state.sourceHold = CriuHold.of(this.#hosts.source, `${directory}/dump`);
    this.state.destinationHold = CriuHold.of(this.#hosts.destination, `${directory}/restore`);
  }

  /** Everything that can be done while the workload runs, for all steps, before the first one freezes it. */
  async #prepareSteps(context: StepContext): Promise<string | undefined> {
    this.touched = true;
    this.#watch.start();
    const steps = actingSteps(this.#plan.steps);
    for (const step of steps) {
      const action = STEP_TYPES[step.uses].prepare;
      this.#noteUndo(action, step);
      await action?.run(context, step);
    }
    const chosen = this.#plan.strategy === 'auto' ? await this.#choose(context) : undefined;
    const decided = { ...context, plan: this.#plan };
    await allOver(...steps.map(async (step) => STEP_TYPES[step.uses].arm?.(decided)));
    return chosen;
  }

  async #choose(context: StepContext): Promise<string> {
    const report = await chooseStrategy(context);
    this.state.strategy = report;
    // An attempt that takes the run up must know it: the next step does not begin before this is written down.
    this.#options.emit({ kind: 'strategy-chosen', report });
    this.#plan = withStrategy(this.#plan, report.chosen);
    const { chosen, expectedMs } = report;
    return expectedMs === undefined
      ? chosen
      : `${chosen}; the pause is expected to be ${Number((expectedMs / 1000).toPrecision(2))} s`;
  }

  /** Before it acts: a step that fails half-way is undone too. */
  #noteUndo(action: Action | undefined, step: ActingStep, hasBegun = true): void {
    const isMain = action === STEP_TYPES[step.uses].main;
    if (hasBegun && isMain) this.#noteCommands(step.id, step.rollback);
    const undo = action?.undo;
    if (!undo) return;
    this.#undos.push({
      id: isMain ? step.id : `${step.id} prepare`,
      title: undoTitleOf(undo, this.#plan),
      run: () => undo.run(this.#undoContext(step.id), step),
      isOnce: false,
    });
  }

  /** What the recipe itself runs at the end of a rollback. */
  #noteRecipeUndo(): void {
    this.#noteCommands('rollback', this.#plan.rollback);
  }

  #noteCommands(stepId: string, commands: readonly CommandSpec[]): void {
    for (const [index, spec] of [...commands.entries()].toReversed()) {
      this.#undos.push({
        id: `${stepId} rollback ${index + 1}`,
        title: `run ${spec.argv[0]} on ${spec.on === 'local' ? 'this machine' : `the ${spec.on}`}`,
        run: async () => {
          await runCommand(this.#undoContext(stepId), spec);
        },
        isOnce: true,
      });
    }
  }

  #undoContext(stepId: string): StepContext {
    return this.#context(stepId, new AbortController().signal);
  }

  /** Runs something under a deadline, with events around it. */
  async #show(
    step: {
      readonly stepId: string;
      readonly title: string;
      readonly timeoutMs: number;
      /** @default the run's */
      readonly signal?: AbortSignal;
    },
    run: (context: StepContext) => Promise<string | undefined>,
  ): Promise<void> {
    const { emit } = this.#options;
    const { stepId, title, timeoutMs, signal: whole = this.#signal } = step;
    whole.throwIfAborted();
    emit({ kind: 'step-started', stepId });
    const beganAt = performance.now();
    const { signal, done } = stepSignal(whole, title, timeoutMs);
    try {
      const text = await run(this.#context(stepId, signal));
      const durationMs = performance.now() - beganAt;
      emit({
        kind: 'step-finished',
        stepId,
        durationMs,
        result: { status: 'done', ...(text === undefined ? {} : { text }) },
      });
    } catch (error) {
      // An interruption that came while the commit failed is not what a person must know about.
      const isHalfMoved = this.state.committed && this.state.releasedAtMs === undefined;
      const reason = isHalfMoved ? error : abortReason(signal, error);
      const failure = toFailureData(reason);
      emit({
        kind: 'step-finished',
        stepId,
        durationMs: performance.now() - beganAt,
        result: { status: 'failed', failure },
      });
      throw reason;
    } finally {
      done();
    }
  }

  /**
   * Takes the scaffolding of each step down, the last step's first, on two hosts side by side: but what serves memory is the last to go. What cannot be removed
   * is named, not hidden.
   */
  async #cleanUp(): Promise<readonly FailureData[]> {
    const { emit } = this.#options;
    emit({ kind: 'phase-started', phase: 'clean-up' });
    emit({ kind: 'step-started', stepId: 'clean-up' });
    const beganAt = performance.now();
    const context = this.#context('clean-up', new AbortController().signal);
    // Of a strategy that was not chosen there is none.
    const steps = actingSteps(this.#plan.steps).filter(({ when }) => when !== false);
    const cleanUps = steps.toReversed().flatMap(({ uses }) => STEP_TYPES[uses].cleanUps ?? []);
    const inTurn = async (some: readonly CleanUp[]): Promise<readonly FailureData[]> => {
      const failures: FailureData[] = [];
      const leftOn = new Set<string>();
      for (const { on, run } of some) {
        if (leftOn.has(on)) continue;
        const failure = await attempt(() => run(context));
        if (!failure) continue;
        failures.push(failure);
        leftOn.add(on);
        const where = failure.host ?? 'a host';
        const later = this.#command(this.state.committed ? 'resume' : 'rollback');
        context.warn(
          `Something is left on ${where} (${context.runDirectory}): ${failure.message} Later: ${later}`,
        );
      }
      return failures;
    };
    const { source, destination } = context;
    const parts =
      isPostCopied(this.#plan) || source === destination
        ? [cleanUps]
        : ['destination', 'source'].map((host) => cleanUps.filter(({ on }) => on === host));
    const left = (await Promise.all(parts.map(inTurn))).flat();
    const [failure] = left;
    emit({
      kind: 'step-finished',
      stepId: 'clean-up',
      durationMs: performance.now() - beganAt,
      result: failure ? { status: 'failed', failure } : { status: 'done' },
    });
    return left;
  }

  /** What has not run has an empty result. */
  #values(): TemplateValues {
    const { secrets } = this.#options;
    const plan = this.#plan;
    const named = [...actingSteps(plan.steps)].flatMap((step) =>
      step.uses === 'command' && step.register !== undefined ? [step.register] : [],
    );
    const results = new Map(named.map((name) => [name, this.#results.get(name) ?? NOT_RUN]));
    return { inputs: new Map([...Object.entries(plan.inputs), ...secrets]), results };
  }

  /** As it is written down: an attempt that takes the run up must find the same. */
  #register(name: string, result: StepResult): void {
    const { emit, redactor } = this.#options;
    const kept = redactor.data(result);
    this.#results.set(name, kept);
    emit({ kind: 'result-registered', name, result: kept });
  }

  #remember(workload: WorkloadFacts): void {
    this.state.workload = workload;
    const { directory, redactor } = this.#options;
    directory.append({ kind: 'workload', workload: redactor.data(workload) }, { durable: true });
  }

  get #hostDirectory(): string {
    const { runId, epoch, earlier } = this.#options;
    return hostDirectoryOf(runId, earlier?.epoch ?? epoch);
  }

  #context(stepId: string, signal: AbortSignal): StepContext {
    const { runId, epoch, emit, directory, redactor, sshConfigFile } = this.#options;
    const { earlier, keepImages = false } = this.#options;
    const context: StepContext = {
      plan: this.#plan,
      attemptId: attemptIdOf(runId, earlier?.epoch ?? epoch),
      source: this.#hosts.source,
      destination: this.#hosts.destination,
      local: this.#hosts.local,
      runDirectory: this.#hostDirectory,
      sshConfigFile,
      keepImages,
      state: this.state,
      signal,
      detail: (text) => emit({ kind: 'step-detail', stepId, text }),
      progress: (progress, totalBytes) => emit({ kind: 'step-progress', stepId, ...progress, totalBytes }),
      warn: (text) => emit({ kind: 'warning', text }),
      phase: (phase) => emit({ kind: 'phase-started', phase }),
      values: () => this.#values(),
      register: (name, result) => this.#register(name, result),
      remember: (workload) => this.#remember(workload),
      prepareSteps: () => this.#prepareSteps(context),
      askForApproval: (id, question) => emit({ kind: 'approval-awaited', stepId: id, ...question }),
      readAnswers: (id) => readAnswers(directory.path, id),
      untilAnswered: (id, timeoutMs, until) => untilAnswered(directory.path, id, timeoutMs, until),
      keep: (name, content) => {
        try {
          directory.keep(name, redactor.text(content));
        } catch (error) {
          // What it is about matters more.
          emit({ kind: 'warning', text: `${name} is not kept: ${toFailureData(error).message}` });
        }
      },
    };
    return context;
  }
}

/** What is said of a workload that has ended and is to be reverted: its images are not where they were. */
function endedThere({ code, message, host }: FailureData): FailureData {
  return {
    code,
    message,
    ...(host === undefined ? {} : { host }),
    hint: 'Its images are kept, and are to take its place.',
  };
}

const NOT_RUN: StepResult = { stdout: '', stderr: '', exitCode: -1, status: 'skipped' };
