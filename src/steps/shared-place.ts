import { sharedDirectoryOf } from '../plan/plan.ts';
import type { StepContext } from './step.ts';

/** Where the images of an attempt are that both hosts share, if they share them. */
export function sharedPlace({ plan, attemptId }: Pick<StepContext, 'plan' | 'attemptId'>):
  | {
      readonly directory: string;
      /** The attempt's own directory in it. */
      readonly place: string;
    }
  | undefined {
  const directory = sharedDirectoryOf(plan);
  return directory === undefined ? undefined : { directory, place: `${directory}/criu-flow-${attemptId}` };
}
