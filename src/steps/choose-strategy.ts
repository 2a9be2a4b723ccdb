import type { MeasuredWorkload, Strategy, StrategyEstimate, StrategyReport } from '../events/event.ts';
import { strategiesOf } from '../plan/plan.ts';
import { lazyFindings } from '../preflight/lazy-pages.ts';
import { closeMemoryPath, openMemoryPath } from '../transfer/one-run-key.ts';
import { watchMemory } from '../workload/memory-sample.ts';
import { measureBytesPerSecond } from './measure-way.ts';
import { roomOf } from './room.ts';
import type { StepContext } from './step.ts';
import { chooseOf, expectedPauseMs } from './strategy-rule.ts';
import { whyNot } from './why-not.ts';

/**
 * Measures what the pause depends on, while the workload runs, and says which strategy is the best. Changes nothing that stays. What cannot be
 * measured is no reason not to move: then it is the simplest one.
 * @throws FlowError INTERRUPTED, SUPERSEDED; HOST_UNREACHABLE
 */
export async function chooseStrategy(context: StepContext): Promise<StrategyReport> {
  const { plan, warn } = context;
  let measured: MeasuredWorkload;
  try {
    measured = await measure(context);
  } catch (error) {
    const why = whyNot(error);
    warn(`All of the memory is moved in the pause, since it could not be measured what is best: ${why}`);
    return { chosen: 'stop-and-copy', estimates: [] };
  }
  const impossible = await whyImpossible(context, measured);
  const rounds = plan.steps.find((step) => step.uses === 'pre-copy')?.rounds ?? 0;
  const estimates = strategiesOf(plan).map((strategy): StrategyEstimate => {
    const why = impossible.get(strategy);
    if (why !== undefined) return { strategy, impossible: why };
    return { strategy, pauseMs: expectedPauseMs(strategy, measured, rounds) };
  });
  const { downtimeMs } = plan.objectives;
  const { strategy, pauseMs } = chooseOf(estimates, downtimeMs);
  if (downtimeMs !== undefined && pauseMs > downtimeMs)
    warn(
      `The pause is expected to be ${Math.round(pauseMs)} ms, and the objective is ${downtimeMs} ms: ${strategy} is the best that can be done.`,
    );
  return { chosen: strategy, expectedMs: pauseMs, measured, estimates };
}

/** When one of the two fails, the other is ended, and has ended. */
async function measure(context: StepContext): Promise<MeasuredWorkload> {
  const { source, state, detail } = context;
  detail('measure how fast the memory travels, and how fast it is written to');
  const pids = (state.workload?.processes ?? []).map(({ pid }) => pid);
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const failures: unknown[] = [];
  const orStop = (error: unknown): undefined => {
    failures.push(error);
    stop.abort();
  };
  const [watched, bytesPerSecond] = await Promise.all([
    watchMemory(source, pids, signal).catch(orStop),
    bytesPerSecondOf({ ...context, signal }).catch(orStop),
  ]);
  if (watched === undefined || bytesPerSecond === undefined) throw failures[0];
  return { ...watched, bytesPerSecond, isTracked: state.isTracked !== false };
}

/** As it was measured already, where the way of the images was to be chosen. */
async function bytesPerSecondOf(context: StepContext): Promise<number> {
  const { chosen, bytesPerSecond = {} } = context.state.compression ?? {};
  const known = chosen && bytesPerSecond[chosen];
  return known ?? measureBytesPerSecond(context);
}

/** What would be findings of the preflight if the recipe asked for that strategy, or a failure later. */
async function whyImpossible(
  context: StepContext,
  { privateBytes, sharedBytes }: MeasuredWorkload,
): Promise<ReadonlyMap<Strategy, string>> {
  const reasons = new Map<Strategy, string>();
  if ((await roomOf(context)) < 2 * (privateBytes + sharedBytes))
    reasons.set('pre-copy', 'a host has less room on its disk than twice the memory');
  if (!strategiesOf(context.plan).includes('post-copy')) return reasons;
  const why = await whyNotLater(context);
  if (why !== undefined) reasons.set('post-copy', why);
  return reasons;
}

async function whyNotLater(context: StepContext): Promise<string | undefined> {
  const { source, destination, state, keepImages, runDirectory } = context;
  const { pageServerPort: port } = state;
  if (keepImages) return 'the images are to be kept, and would not be whole';
  if (state.detour) return `${source.name} reaches ${destination.name} only through this machine`;
  const [lazy] = await lazyFindings(source, destination);
  if (lazy || port === undefined) return lazy?.message;
  try {
    // Nobody is at either end of it yet.
    await openMemoryPath(source, destination, { runDirectory, port });
    return undefined;
  } catch (error) {
    return whyNot(error);
  } finally {
    await closeMemoryPath(source, runDirectory);
  }
}
