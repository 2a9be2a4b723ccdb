import type { Finding, RecipeRuns, RunRecipe, ValidSequence } from './finding.ts';
import { useFindings } from './given-findings.ts';
import { code } from './printable.ts';
import { ownFindings, partFindings, wholeFindings } from './recipe-findings.ts';
import type { SequenceRun } from './recipe.generated.ts';

/**
 * Secrets that would be handed on, recipes that do not get the inputs that they take, and what is wrong with those recipes
 * themselves.
 */
export function sequenceFindings(sequence: ValidSequence): readonly Finding[] {
  return [...handOnFindings(sequence), ...recipeFindings(sequence)];
}

/** Once for each file, however often it is run. */
function recipeFindings({ recipes }: ValidSequence): readonly Finding[] {
  const distinct = new Map<object, RunRecipe>();
  for (const recipe of recipes.values()) {
    if (!distinct.has(recipe.data)) distinct.set(recipe.data, recipe);
  }
  return [...distinct.values()].flatMap((recipe) =>
    [...ownFindings(recipe), ...wholeFindings(recipe), ...partFindings(recipe)].map((found) => ({
      ...found,
      recipe: found.recipe ?? recipe,
    })),
  );
}

function handOnFindings({ data, recipes }: ValidSequence): readonly Finding[] {
  const secrets = secretFindings(data);
  // What hands them on would be their echo.
  if (secrets.length > 0) return secrets;
  return data.runs.flatMap((run, index) => {
    const recipe = recipes.get(run);
    return recipe ? runFindings(run, index, recipe, data) : [];
  });
}

function runFindings(run: SequenceRun, index: number, used: RunRecipe, data: RecipeRuns): readonly Finding[] {
  const path = ['runs', index];
  const declared = used.data.inputs ?? {};
  const handedOn = Object.keys(run.inputs ?? {}).filter((name) => declared[name]?.type === 'secret');
  if (handedOn.length > 0) {
    return handedOn.map((name) => ({
      path: [...path, 'inputs', name],
      at: 'key',
      code: 'input',
      message: `The input ${code(name)} is a secret, and none can be handed on`,
      hint: `Take it out, and say in that recipe where it is: ${FROM}.`,
      isSecret: true,
    }));
  }
  const place = { path: [...path, 'recipe'], at: 'value' } as const;
  const unread = Object.entries(declared).filter(([, { type, from }]) => type === 'secret' && !from);
  if (unread.length > 0) {
    return unread.map(([name]) => ({
      ...place,
      code: 'input',
      message: `${code(used.data.name)} does not say where its secret ${code(name)} is, and none can be handed on`,
      hint: `Say it in that recipe, or in one that extends it: ${FROM}.`,
    }));
  }
  return useFindings({ used, given: run.inputs, path, place }, data);
}

function secretFindings({ inputs = {} }: RecipeRuns): readonly Finding[] {
  return Object.entries(inputs).flatMap(([name, { type }]): Finding[] => {
    if (type !== 'secret') return [];
    const message = `A sequence has no secrets: the recipe of each run reads its own`;
    const hint = `Take ${code(name)} out, and say in the recipe that needs it where it is: ${FROM}.`;
    return [{ path: ['inputs', name], at: 'key', code: 'input', message, hint }];
  });
}

const FROM = '`from: { env: NAME }`';
