import type { EmitEvent } from '../events/event.ts';
import { toFailureData } from '../events/failure-data.ts';
import type {
  SequenceEvent,
  SequenceRunEnd,
  SequenceRunView,
  SequenceSummary,
} from '../events/sequence-event.ts';
import type { Plan, SequencePlan } from '../plan/plan.ts';
import { checkPlan } from './check-plan.ts';
import { checkRuns, interruption } from './check-runs.ts';
import { goOnOf } from './go-on.ts';
import { exitCodeOf } from './outcome.ts';
import { runPlan, type RunPlanOptions } from './run-plan.ts';

export interface RunSequenceOptions extends Omit<RunPlanOptions, 'emit'> {
  /** The number of the run to begin with: those before it are neither checked nor run. @default 1 */
  readonly from?: number | undefined;
  /** Takes what happens to the sequence, as it happens. Must not throw. */
  readonly onEvent: (event: SequenceEvent) => void;
  /** Gives what takes the events of the run that begins now; the next one waits until that has finished. */
  readonly watchRun: () => Promise<RunWatch>;
  /** The command that does the same from a run on, for people to paste. @default none is given */
  readonly commandFrom?: ((number: number) => string) | undefined;
}

/** What takes the events of one run. */
export interface RunWatch {
  readonly emit: EmitEvent;
  /** Called once, after the last event. */
  readonly finish: () => Promise<void>;
}

/** What is done with each run. */
interface Actions {
  readonly checkPlan: typeof checkPlan;
  readonly runPlan: typeof runPlan;
}

/**
 * Runs the plans of a sequence, one after another, each as a run of its own. First the hosts are asked what the preflights of all
 * of them ask: when one would refuse, none begins. It stops at the first run that does not end with 0; what has moved stays, what
 * was not begun is untouched. An abort ends the run at work as it ends any, and no other begins.
 * Failures are in the summary; what is thrown is a bug.
 */
export async function runSequence(
  plan: SequencePlan,
  options: RunSequenceOptions,
  actions: Actions = { checkPlan, runPlan },
): Promise<SequenceSummary> {
  const { from = 1, onEvent, sshConfigFile, signal } = options;
  const runs = plan.runs.map(({ title, plan: own }, index): PlannedRun => {
    const { source, destination } = own;
    return { plan: own, view: { number: index + 1, title, source, destination } };
  });
  onEvent({ kind: 'sequence-started', name: plan.name, from, runs: runs.map(({ view }) => view) });
  const onChecked: Parameters<typeof checkRuns>[1]['onChecked'] = (number, check) => {
    const title = plan.runs[number - 1]?.title ?? '';
    onEvent({ kind: 'sequence-run-checked', number, title, check });
  };
  const refusal = await checkRuns(plan, { from, sshConfigFile, signal, onChecked }, actions.checkPlan);
  const ends = new Map<number, SequenceRunEnd>();
  const chosen = runs.filter(({ view }) => refusal === 0 && view.number >= from);
  const stop = await runAll(chosen, ends, options, actions);
  const summary: SequenceSummary = {
    name: plan.name,
    outcome: refusal !== 0 ? 'refused' : stop ? 'stopped' : 'done',
    exitCode: stop?.exitCode ?? refusal,
    runs: runs.map(
      ({ view }) =>
        ends.get(view.number) ?? { ...view, state: view.number < from ? 'left-out' : 'not-begun' },
    ),
    ...(stop && { goOn: goOnOf(stop.number, ends.get(stop.number), runs.length, options.commandFrom) }),
  };
  onEvent({ kind: 'sequence-finished', summary });
  return summary;
}

interface PlannedRun {
  readonly plan: Plan;
  readonly view: SequenceRunView;
}

/** @param ends takes what becomes of each @returns the run at which it stops, if it does */
async function runAll(
  runs: readonly PlannedRun[],
  ends: Map<number, SequenceRunEnd>,
  options: RunSequenceOptions,
  actions: Actions,
): Promise<{ readonly number: number; readonly exitCode: number } | undefined> {
  for (const { view, plan } of runs) {
    const { number } = view;
    const interrupted = interruption(options.signal);
    if (interrupted !== undefined) return { number, exitCode: interrupted };
    const end = await runOne(view, plan, options, actions);
    ends.set(number, end);
    const exitCode = end.state === 'ended' ? end.summary.exitCode : exitCodeOf('refused', end.failure);
    if (exitCode !== 0) return { number, exitCode };
  }
  return undefined;
}

async function runOne(
  view: SequenceRunView,
  plan: Plan,
  { onEvent, watchRun, sshConfigFile, keepImages, signal }: RunSequenceOptions,
  actions: Actions,
): Promise<Extract<SequenceRunEnd, { readonly state: 'ended' | 'failed' }>> {
  onEvent({ kind: 'sequence-run-started', number: view.number, title: view.title });
  const { emit, finish } = await watchRun();
  try {
    const summary = await actions.runPlan(plan, { emit, signal, sshConfigFile, keepImages });
    return { ...view, state: 'ended', summary };
  } catch (error) {
    // Whoever waits for the end of the sequence must hear what has moved already.
    return { ...view, state: 'failed', failure: toFailureData(error) };
  } finally {
    await finish();
  }
}
