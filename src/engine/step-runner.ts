import { toFailureData } from '../events/failure-data.ts';
import type { EmitEvent, FailureData } from '../events/event.ts';
import type { Plan, PlanStep } from '../plan/plan.ts';
import { runCommand } from '../steps/command.ts';
import { STEP_TYPES } from '../steps/registry.ts';
import type { Action, RunState, StepContext } from '../steps/step.ts';
import type { RunDirectory } from '../store/run-directory.ts';
import type { Connection } from './connection.ts';
import { abortReason, stepSignal } from './step-signal.ts';
import { attempt, UndoStack } from './undo-stack.ts';

/** Where runs keep their things on the hosts: on disk, since images are as large as the workload's memory. */
const HOST_DIRECTORY = '/var/lib/criu-flow';

export interface StepRunnerOptions {
  readonly plan: Plan;
  readonly runId: string;
  readonly connection: Connection;
  readonly emit: EmitEvent;
  readonly directory: RunDirectory;
  readonly signal: AbortSignal;
  readonly sshConfigFile?: string | undefined;
  readonly keepImages?: boolean | undefined;
}

/** Runs the steps in order, prepares them before the freeze, rolls back when one fails, and cleans up. */
export class StepRunner {
  readonly state: RunState = { committed: false, restoreBegan: false };
  /** Whether anything on a host was changed. */
  touched = false;
  readonly #options: StepRunnerOptions;
  readonly #undos = new UndoStack();

  constructor(options: StepRunnerOptions) {
    this.#options = options;
  }

  async run(): Promise<{ failure: FailureData | undefined; undoFailures: FailureData[] }> {
    const { emit } = this.#options;
    const failure = await attempt(() => this.#runSteps());
    const { committed, releasedAtMs } = this.state;
    // After the decision to commit, a run that cannot confirm it must not act on what it believes.
    if (committed && releasedAtMs === undefined) return { failure, undoFailures: [] };
    // Once moved there is no way back: the `rollback` of a later step could start a second copy on the source.
    const hasWayBack = this.touched && !committed;
    const undoFailures = failure && hasWayBack ? await this.#undos.rollBack(emit, failure) : [];
    // What could not be put back may need the images.
    if (undoFailures.length === 0 && this.touched) await this.#cleanUp();
    return { failure, undoFailures };
  }

  async #runSteps(): Promise<void> {
    for (const step of this.#options.plan.steps) {
      if (step.uses === 'dump') await this.#prepare();
      await this.#show(step.id, step.title, timeoutOf(step), (context) => {
        if (step.uses === 'command') this.touched = true;
        return this.#act(STEP_TYPES[step.uses].main, step, context);
      });
      if (step.uses === 'commit') this.#undos.clear();
    }
  }

  /** Everything that can be done while the workload runs, for all steps, before the first one freezes it. */
  async #prepare(): Promise<void> {
    this.#options.emit({ kind: 'phase-started', phase: 'prepare' });
    await this.#show('prepare', 'Prepare both hosts', 24 * 3_600_000, async (context) => {
      this.touched = true;
      for (const step of this.#options.plan.steps) {
        const { prepare } = STEP_TYPES[step.uses];
        if (prepare) await this.#act(prepare, step, context);
      }
      return undefined;
    });
  }

  /** Notes the undo, then acts: a step that fails half-way is undone too. */
  async #act(action: Action, step: PlanStep, context: StepContext): Promise<string | undefined> {
    const { undo } = action;
    const undoContext = this.#context(step.id, new AbortController().signal);
    if (action === STEP_TYPES[step.uses].main && step.rollback.length > 0) {
      for (const spec of step.rollback.toReversed()) {
        this.#undos.push(`run ${spec.argv[0]} on the ${spec.on}`, () => runCommand(undoContext, spec));
      }
    }
    if (undo) this.#undos.push(undo.title, () => undo.run(undoContext, step));
    return action.run(context, step);
  }

  /** Runs something under a deadline, with events around it. */
  async #show(
    stepId: string,
    title: string,
    timeoutMs: number,
    run: (context: StepContext) => Promise<string | undefined>,
  ): Promise<void> {
    const { emit } = this.#options;
    this.#options.signal.throwIfAborted();
    emit({ kind: 'step-started', stepId });
    const beganAt = performance.now();
    const { signal, done } = stepSignal(this.#options.signal, title, timeoutMs);
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

  /** Takes the scaffolding of each step down, the last step's first. What cannot be removed is named, not hidden. */
  async #cleanUp(): Promise<void> {
    const { emit, plan } = this.#options;
    emit({ kind: 'phase-started', phase: 'clean-up' });
    emit({ kind: 'step-started', stepId: 'clean-up' });
    const beganAt = performance.now();
    const context = this.#context('clean-up', new AbortController().signal);
    for (const step of plan.steps.toReversed()) {
      const { cleanUp } = STEP_TYPES[step.uses];
      const failure = cleanUp && (await attempt(() => cleanUp(context)));
      if (failure) context.warn(`Something is left on a host (${context.runDirectory}): ${failure.message}`);
    }
    emit({
      kind: 'step-finished',
      stepId: 'clean-up',
      durationMs: performance.now() - beganAt,
      result: { status: 'done' },
    });
  }

  #context(stepId: string, signal: AbortSignal): StepContext {
    const { plan, runId, connection, emit, directory, sshConfigFile, keepImages = false } = this.#options;
    return {
      plan,
      runId,
      source: connection.source,
      destination: connection.destination,
      local: connection.local,
      runDirectory: `${HOST_DIRECTORY}/${runId}`,
      sshConfigFile,
      keepImages,
      state: this.state,
      signal,
      detail: (text) => emit({ kind: 'step-detail', stepId, text }),
      progress: (progress, totalBytes) => emit({ kind: 'step-progress', stepId, ...progress, totalBytes }),
      warn: (text) => emit({ kind: 'warning', text }),
      phase: (phase) => emit({ kind: 'phase-started', phase }),
      keep: (name, content) => directory.keep(name, content),
    };
  }
}

function timeoutOf(step: PlanStep): number {
  return step.timeoutMs ?? STEP_TYPES[step.uses].timeoutMs;
}
