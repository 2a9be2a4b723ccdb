import { type Plan, strategiesOf, withStrategy } from '../plan/plan.ts';
import type { Progress } from './read-progress.ts';

/**
 * The plan of an attempt as it went on with it: with the strategy that it has chosen, if it was to. One that is not known to have chosen has
 * frozen nothing; or else this journal is a copy that is old, and where memory may have been fetched after the commit, that must be believed: nothing
 * by which it comes is then taken down, nor the copy on the source ended, before the hosts were asked.
 */
export function decidedPlan(plan: Plan, { strategy }: Pick<Progress, 'strategy'>): Plan {
  if (plan.strategy !== 'auto') return plan;
  const worst = strategiesOf(plan).includes('post-copy') ? 'post-copy' : 'stop-and-copy';
  return withStrategy(plan, strategy ?? worst);
}
