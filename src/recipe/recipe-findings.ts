import type { Finding, RecipeSteps, UsedRecipe, ValidRecipe } from './finding.ts';
import { givenFindings } from './given-findings.ts';
import { givenInputFindings, inputFindings } from './input-findings.ts';
import { kindFindings, kindOf } from './kind-findings.ts';
import { orderFindings } from './order-findings.ts';
import { overlapFindings } from './overlap-findings.ts';
import { probeFindings } from './probe-findings.ts';
import { ownStepFindings, stepFindings } from './step-findings.ts';
import { valueFindings } from './template-findings.ts';
import { transferFindings } from './transfer-findings.ts';

/** What can be said of a recipe whoever uses it. */
export function ownFindings(recipe: Pick<UsedRecipe, 'data' | 'used'>): readonly Finding[] {
  const { data } = recipe;
  return [...inputFindings(data), ...valueFindings(data), ...givenFindings(recipe)];
}

/** What can be said of one that runs by itself, besides. */
export function wholeFindings(recipe: ValidRecipe): readonly Finding[] {
  const { data } = recipe;
  const kind = kindFindings(data);
  if (kind.length > 0) return kind;
  const order = orderFindings(kindOf(data), data.steps);
  return [
    // What is before the commit is not known of steps that are in no order.
    ...(order.length > 0 ? order : [...stepFindings(recipe), ...probeFindings(data)]),
    ...transferFindings(data),
    ...overlapFindings(data),
  ];
}

/** What can be said of steps for other recipes, besides. */
export function stepsFindings(data: RecipeSteps): readonly Finding[] {
  return [...givenInputFindings(data), ...ownStepFindings(data), ...probeFindings(data)];
}

/** What can be said of the recipes that the steps of one use, by themselves. */
export function partFindings({ used }: Pick<UsedRecipe, 'used'>): readonly Finding[] {
  return distinctParts(used).flatMap((part) =>
    [...ownFindings(part), ...givenInputFindings(part.data), ...probeFindings(part.data)].map((found) => ({
      ...found,
      recipe: part,
    })),
  );
}

/** One for each file, however often it is used. */
function distinctParts(used: ValidRecipe['used']): readonly UsedRecipe[] {
  const parts = new Map<object, UsedRecipe>();
  const add = (each: UsedRecipe): void => {
    if (!parts.has(each.data)) parts.set(each.data, each);
    for (const inner of each.used.values()) add(inner);
  };
  for (const each of used.values()) add(each);
  return [...parts.values()];
}
