import { resolve } from 'node:path';
import { FlowError } from '../errors/flow-error.ts';
import type { Diagnostic } from './diagnostic.ts';
import {
  type Finding,
  type RecipeSteps,
  toDiagnostics,
  type UsedRecipe,
  type ValidRecipe,
} from './finding.ts';
import { givenFindings } from './given-findings.ts';
import { givenInputFindings, inputFindings } from './input-findings.ts';
import { inventoryFindings } from './inventory-findings.ts';
import type { Inventory } from './inventory.ts';
import { kindFindings, kindOf } from './kind-findings.ts';
import { loadRecipe, nameOf } from './load-recipe.ts';
import { orderFindings } from './order-findings.ts';
import { overlapFindings } from './overlap-findings.ts';
import { probeFindings } from './probe-findings.ts';
import { whyNotReadable } from './read-source.ts';
import { ownStepFindings, stepFindings } from './step-findings.ts';
import { valueFindings } from './template-findings.ts';

/** What is wrong with a recipe, and the recipe when nothing is that hinders a run. */
export interface CheckedRecipe {
  /** Steps that other recipes use are none that could run. */
  readonly recipe?: ValidRecipe;
  /** The hosts of which it takes some. */
  readonly inventory?: Inventory;
  /** Errors and warnings, in the order of the files. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Checks a recipe, and those that it uses, as far as it can be without inputs. Each stage needs the one before it: the first
 * that finds an error is the last, since what follows would mostly be its echo.
 * @param inventoryFile instead of the one that the recipe names
 * @throws FlowError RECIPE_NOT_FOUND; USAGE for an `inventoryFile` that cannot be read
 */
export async function checkRecipe(
  recipe: string,
  cwd: string,
  inventoryFile?: string,
): Promise<CheckedRecipe> {
  const loaded = await loadRecipe(recipe, cwd);
  if (!('recipe' in loaded)) return { diagnostics: loaded.diagnostics };
  const { recipe: checked, whole } = loaded;
  const parts = distinctParts(checked.used);
  const findings = [
    ...ownFindings(checked),
    ...(whole ? wholeFindings(whole) : stepsFindings(checked.data)),
    ...parts.flatMap((part) =>
      [...ownFindings(part), ...givenInputFindings(part.data), ...probeFindings(part.data)].map((found) => ({
        ...found,
        recipe: part,
      })),
    ),
  ];
  const errors = findings.filter((finding) => finding.severity !== 'warning');
  // A warning beside an error is mostly its echo: the reader of an input that nothing reads is misspelt.
  if (errors.length > 0) return { diagnostics: toDiagnostics(checked, errors) };
  const { inventory, diagnostics } = await inventoryOf(loaded, cwd, inventoryFile);
  if (diagnostics.length > 0) return { diagnostics };
  return {
    ...(whole ? { recipe: whole } : {}),
    ...(inventory ? { inventory } : {}),
    diagnostics: toDiagnostics(checked, findings),
  };
}

/** What is wrong with the inventory, or with what the recipe wants of it. */
async function inventoryOf(
  { whole, inventoryPath }: Loaded,
  cwd: string,
  file: string | undefined,
): Promise<{ readonly inventory?: Inventory; readonly diagnostics: readonly Diagnostic[] }> {
  const path = file === undefined ? inventoryPath : resolve(cwd, file);
  if (!whole || path === undefined) return { diagnostics: [] };
  const { readInventory } = await import('./inventory.ts');
  const name = file ?? nameOf(path, cwd);
  try {
    const { inventory, diagnostics } = await readInventory(path, name);
    if (!inventory) return { diagnostics };
    return { inventory, diagnostics: toDiagnostics(whole, inventoryFindings(whole.data, inventory)) };
  } catch (error) {
    const message = `The inventory ${name} cannot be read: ${
      error instanceof FlowError ? error.message : whyNotReadable(error)
    }`;
    if (file !== undefined) throw new FlowError('USAGE', message, { cause: error });
    const hint = 'Its path is from the directory of the recipe that names it.';
    return {
      diagnostics: toDiagnostics(whole, [
        { path: ['inventory'], at: 'value', code: 'inventory', message, hint },
      ]),
    };
  }
}

type Loaded = Extract<Awaited<ReturnType<typeof loadRecipe>>, { readonly recipe: unknown }>;

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

function stepsFindings(data: RecipeSteps): readonly Finding[] {
  return [...givenInputFindings(data), ...ownStepFindings(data), ...probeFindings(data)];
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
