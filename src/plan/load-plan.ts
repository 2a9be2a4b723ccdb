import { FlowError } from '../errors/flow-error.ts';
import type { CheckedRecipe } from '../recipe/check-recipe.ts';
import type { Diagnostic } from '../recipe/diagnostic.ts';
import { RecipeError } from '../recipe/recipe-error.ts';
import type { AskInput } from './inputs.ts';
import type { Plan, SequencePlan } from './plan.ts';

export interface LoadPlanOptions {
  /** A file, or the name of a bundled recipe such as `process-rsync`. */
  readonly recipe: string;
  /** `name=value` for each input; more than one for a list. */
  readonly inputs: readonly string[];
  /** YAML files with inputs; a later one counts more. @default none */
  readonly inputFiles?: readonly string[];
  /** Where inputs are looked for as `CRIU_FLOW_INPUT_NAME`. @default none */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** A YAML file of hosts. @default the one that the recipe names, if it does */
  readonly inventory?: string | undefined;
  /** Asks a person for what is missing. @default what is missing is an error */
  readonly ask?: AskInput;
  /** What a relative path is relative to. */
  readonly cwd: string;
}

/**
 * Makes a plan of a recipe and its inputs. Asks no host.
 * @throws RecipeError RECIPE_INVALID or INPUT_INVALID, with every mistake; FlowError RECIPE_NOT_FOUND; USAGE for a file of
 *   inputs, or an inventory, that cannot be read, and for a sequence
 */
export async function loadPlan(options: LoadPlanOptions): Promise<Plan> {
  const plan = await loadAnyPlan(options);
  if (plan.kind !== 'sequence') return plan;
  throw new FlowError('USAGE', `${options.recipe} is a sequence, and has a plan for each of its runs`, {
    hint: '`loadAnyPlan` makes them, and `runSequence` runs them.',
  });
}

/**
 * Makes the plan of a recipe, or those of a sequence. Asks no host.
 * @throws as {@link loadPlan} does, but for a sequence
 */
export async function loadAnyPlan(options: LoadPlanOptions): Promise<Plan | SequencePlan> {
  const { recipe, sequence, inventory, diagnostics } = await check(options);
  const runnable = recipe ?? sequence;
  if (!runnable) throw invalid(options.recipe, diagnostics);
  const [{ resolveInputs }, { buildPlan }, { readInputs }] = await Promise.all([
    import('./inputs.ts'),
    import('./build-plan.ts'),
    import('../recipe/read-inputs.ts'),
  ]);
  const { inputs: given, inputFiles = [], environment = {}, ask, cwd } = options;
  const files = await Promise.all(inputFiles.map((file) => readInputs(file, cwd)));
  const resolved = await resolveInputs(runnable, { given, files, environment, inventory, ask });
  if (recipe) return buildPlan(recipe, resolved, inventory);
  if (!sequence) throw new Error('what can run is one of both');
  const { buildSequence } = await import('./build-sequence.ts');
  return buildSequence(sequence, resolved, inventory);
}

/**
 * What is wrong with a recipe, as far as can be said without inputs. Asks no host.
 * @returns errors and warnings, in the order of the file
 * @throws FlowError RECIPE_NOT_FOUND
 */
export async function validateRecipe(options: {
  readonly recipe: string;
  readonly cwd: string;
}): Promise<readonly Diagnostic[]> {
  const { diagnostics } = await check(options);
  return diagnostics;
}

/** Who imports the library, and loads no recipe, does not wait for YAML, templates and the schema. */
async function check({
  recipe,
  cwd,
  inventory,
}: Pick<LoadPlanOptions, 'recipe' | 'cwd' | 'inventory'>): Promise<CheckedRecipe> {
  const { checkRecipe } = await import('../recipe/check-recipe.ts');
  return checkRecipe(recipe, cwd, inventory);
}

function invalid(recipe: string, diagnostics: readonly Diagnostic[]): FlowError {
  const [first, ...rest] = diagnostics.filter(({ severity }) => severity === 'error');
  if (!first) {
    const hint = 'A step of another recipe uses it: `- uses: recipe`, `with: { recipe: ./it.yaml }`.';
    return new FlowError('USAGE', `${recipe} has steps for other recipes, and cannot run by itself`, {
      hint,
    });
  }
  return new RecipeError('RECIPE_INVALID', [first, ...rest]);
}
