import { type Diagnostic } from './diagnostic.ts';
import { type Finding, toDiagnostics, type UsedRecipe, type ValidRecipe } from './finding.ts';
import { givenFindings } from './given-findings.ts';
import { inputFindings } from './input-findings.ts';
import { kindFindings, kindOf } from './kind-findings.ts';
import { loadRecipe } from './load-recipe.ts';
import { orderFindings } from './order-findings.ts';
import { overlapFindings } from './overlap-findings.ts';
import { probeFindings } from './probe-findings.ts';
import { ownStepFindings, stepFindings } from './step-findings.ts';
import { valueFindings } from './template-findings.ts';

/** What is wrong with a recipe, and the recipe when nothing is that hinders a run. */
export interface CheckedRecipe {
  /** Steps that other recipes use are none that could run. */
  readonly recipe?: ValidRecipe;
  /** Errors and warnings, in the order of the files. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Checks a recipe, and those that it uses, as far as it can be without inputs. Each stage needs the one before it: the first
 * that finds an error is the last, since what follows would mostly be its echo.
 * @throws FlowError RECIPE_NOT_FOUND
 */
export async function checkRecipe(recipe: string, cwd: string): Promise<CheckedRecipe> {
  const loaded = await loadRecipe(recipe, cwd);
  if (!('recipe' in loaded)) return { diagnostics: loaded.diagnostics };
  const { recipe: checked, whole } = loaded;
  const parts = distinctParts(checked.used);
  const findings = [
    ...ownFindings(checked),
    ...(whole ? wholeFindings(whole) : [...ownStepFindings(checked.data), ...probeFindings(checked.data)]),
    ...parts.flatMap((part) =>
      [...ownFindings(part), ...probeFindings(part.data)].map((found) => ({ ...found, recipe: part })),
    ),
  ];
  const errors = findings.filter((finding) => finding.severity !== 'warning');
  // A warning beside an error is mostly its echo: the reader of an input that nothing reads is misspelt.
  if (errors.length > 0) return { diagnostics: toDiagnostics(checked, errors) };
  return { ...(whole ? { recipe: whole } : {}), diagnostics: toDiagnostics(checked, findings) };
}

/** What can be said of a recipe whoever uses it. */
function ownFindings(recipe: Pick<UsedRecipe, 'data' | 'used'>): readonly Finding[] {
  const { data } = recipe;
  return [...inputFindings(data), ...valueFindings(data), ...givenFindings(recipe)];
}

function wholeFindings(recipe: ValidRecipe): readonly Finding[] {
  const { data } = recipe;
  const kind = kindFindings(data);
  if (kind.length > 0) return kind;
  const order = orderFindings(kindOf(data), data.steps);
  return [
    // What is before the commit is not known of steps that are in no order.
    ...(order.length > 0 ? order : [...stepFindings(recipe), ...probeFindings(data)]),
    ...overlapFindings(data),
  ];
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
