import type { Strategy } from '../events/event.ts';
import { type Plan, withStrategy } from '../plan/plan.ts';
import type { Progress } from './read-progress.ts';
import type { RunOnHost } from './run-on-host.ts';

/**
 * The strategy of an attempt whose plan leaves it open: what it has chosen, as its journal says. One that does not say so has frozen nothing, or it
 * is a copy that is old: then the hosts tell whether memory was to be fetched after the commit, by which both were prepared before anything
 * was frozen. What else may have been chosen makes no difference any more.
 */
export function strategyOf(
  { strategy }: Pick<Progress, 'strategy'>,
  hosts: readonly Pick<RunOnHost, 'isFetchedLater'>[],
): Strategy {
  const isFetchedLater = hosts.some((host) => host.isFetchedLater === true);
  return strategy ?? (isFetchedLater ? 'post-copy' : 'stop-and-copy');
}

/** The plan as that attempt went on with it. */
export function decidedPlan(plan: Plan, strategy: Strategy): Plan {
  return plan.strategy === 'auto' ? withStrategy(plan, strategy) : plan;
}
