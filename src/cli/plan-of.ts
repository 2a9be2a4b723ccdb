import type { Plan } from '../plan/plan.ts';
import { askOnTerminal } from './ask-input.ts';

/** Where a command line has its inputs. */
export interface PlanInputs {
  readonly inputs: readonly string[];
  readonly inputFiles: readonly string[];
  readonly inventory?: string | undefined;
}

/** The plan of a recipe as a command line names it. @throws as {@link loadPlan} does */
export async function planOf(recipe: string, { inputs, inputFiles, inventory }: PlanInputs): Promise<Plan> {
  const { loadPlan } = await import('../plan/load-plan.ts');
  return loadPlan({
    recipe,
    inputs,
    inputFiles,
    inventory,
    environment: process.env,
    cwd: process.cwd(),
    ...askOnTerminal(),
  });
}
