import type { CriuOptions } from '../criu/arguments.ts';
import type { CriuNeeds } from '../workload/criu-needs.ts';
import { imagesDirectory, type StepContext } from './step.ts';

/** The directory of the hold on the source. */
export function dumpHold(runDirectory: string): string {
  return `${runDirectory}/dump`;
}

/** The directory of the hold on the destination. */
export function restoreHold(runDirectory: string): string {
  return `${runDirectory}/restore`;
}

/** What both criu of a run are told, in the directory of their hold. */
export function criuOptions(
  context: Pick<StepContext, 'plan' | 'runDirectory'>,
  holdDirectory: string,
  needs: CriuNeeds,
): CriuOptions {
  return {
    imagesDirectory: imagesDirectory(context),
    workDirectory: holdDirectory,
    connections: context.plan.network.connections,
    ...needs,
  };
}
