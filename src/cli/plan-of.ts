import { FlowError } from '../errors/flow-error.ts';
import type { Plan, SequencePlan } from '../plan/plan.ts';
import { code } from '../recipe/printable.ts';
import { askOnTerminal } from './ask-input.ts';

/** Where a command line has its inputs. */
export interface PlanInputs {
  readonly inputs: readonly string[];
  readonly inputFiles: readonly string[];
  readonly inventory?: string | undefined;
  /** The run of a sequence with which it begins. */
  readonly from?: number | undefined;
}

/**
 * The plan of a recipe, or those of a sequence, as a command line names it.
 * @returns with it what a person was asked for, as `-i` gives it
 * @throws as {@link loadAnyPlan} does; USAGE for a run to begin with that is none of the recipe
 */
export async function planOf(
  recipe: string,
  { inputs, inputFiles, inventory, from }: PlanInputs,
): Promise<{ readonly plan: Plan | SequencePlan; readonly answers: readonly string[] }> {
  const { loadAnyPlan } = await import('../plan/load-plan.ts');
  const answers = new Map<string, string>();
  const ask = askOnTerminal();
  const plan = await loadAnyPlan({
    recipe,
    inputs,
    inputFiles,
    inventory,
    environment: process.env,
    cwd: process.cwd(),
    ...(ask && {
      // Of several answers to one question only the last one has done.
      ask: async (question) => {
        const answer = await ask(question);
        answers.set(question.name, answer);
        return answer;
      },
    }),
  });
  if (from !== undefined) requireRun(plan, recipe, from);
  return { plan, answers: [...answers].map(([name, value]) => `${name}=${value}`) };
}

function requireRun(plan: Plan | SequencePlan, recipe: string, from: number): void {
  if (plan.kind !== 'sequence') {
    throw new FlowError('USAGE', `--from is for a sequence, and ${code(recipe)} is a ${plan.kind}`, {
      hint: 'Leave it out. A run that did not come to its end is taken up by its id: criu-flow status RUN.',
    });
  }
  const count = plan.runs.length;
  if (from <= count) return;
  throw new FlowError('USAGE', `There is no run ${from}: with these inputs ${code(recipe)} has ${count}`, {
    hint: 'They are numbered from 1, as `criu-flow plan` shows them.',
  });
}
