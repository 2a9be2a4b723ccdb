import type { Strategy, StrategyEstimate, StrategyReport } from '../events/event.ts';
import { strategiesOf } from '../plan/plan.ts';
import { trackingFindings } from '../preflight/host.ts';
import { lazyFindings } from '../preflight/lazy-pages.ts';
import { watchMemory } from '../workload/memory-sample.ts';
import { measureBytesPerSecond } from './measure-way.ts';
import { memoryBytesOf, type StepContext } from './step.ts';
import { chooseOf, expectedPauseMs, type Measured } from './strategy-rule.ts';

/**
 * Measures what the pause depends on, while the workload runs, and says which strategy is the best. Changes nothing that stays.
 * @throws FlowError when a host cannot be asked, or the way to the destination breaks
 */
export async function chooseStrategy(context: StepContext): Promise<StrategyReport> {
  const { source, plan, state, signal, detail } = context;
  detail('measure how fast the memory travels, and how fast it is written to');
  const pids = (state.workload?.processes ?? []).map(({ pid }) => pid);
  const [written, bytesPerSecond, impossible] = await Promise.all([
    watchMemory(source, pids, signal),
    measureBytesPerSecond(context),
    whyImpossible(context),
  ]);
  const measured: Measured = { memoryBytes: memoryBytesOf(state), written, bytesPerSecond };
  const rounds = plan.steps.find((step) => step.uses === 'pre-copy')?.rounds ?? 0;
  const estimates = strategiesOf(plan).map((strategy): StrategyEstimate => {
    const why = impossible.get(strategy);
    if (why !== undefined) return { strategy, impossible: why };
    return { strategy, pauseMs: expectedPauseMs(strategy, measured, rounds) };
  });
  const { strategy, pauseMs } = chooseOf(estimates, plan.objectives.downtimeMs);
  return { chosen: strategy, expectedMs: pauseMs, ...measured, estimates };
}

/** What would be findings of the preflight if the recipe asked for that strategy. */
async function whyImpossible(context: StepContext): Promise<ReadonlyMap<Strategy, string>> {
  const { source, destination, plan, state, keepImages } = context;
  const reasons = new Map<Strategy, string>();
  const [tracking] = await trackingFindings(source);
  if (tracking) reasons.set('pre-copy', tracking.message);
  if (!strategiesOf(plan).includes('post-copy')) return reasons;
  const [lazy] = await lazyFindings(source, destination);
  const why =
    lazy?.message ??
    (state.detour && `${source.name} reaches ${destination.name} only through this machine`) ??
    (keepImages ? 'the images are to be kept, and would not be whole' : undefined);
  if (why !== undefined) reasons.set('post-copy', why);
  return reasons;
}
