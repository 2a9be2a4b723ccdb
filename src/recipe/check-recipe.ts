import { resolve } from 'node:path';
import type { Diagnostic } from './diagnostic.ts';
import { type Finding, toDiagnostics, type ValidRecipe, type ValidSequence } from './finding.ts';
import type { Inventory } from './inventory.ts';
import { type LoadedRecipe, loadRecipe, nameOf } from './load-recipe.ts';
import { ownFindings, partFindings, stepsFindings, wholeFindings } from './recipe-findings.ts';
import type { CheckedSequence } from './run-inventories.ts';

/** What is wrong with a recipe, and the recipe when nothing is that hinders a run. */
export interface CheckedRecipe {
  /** Neither a sequence nor steps that other recipes use are one that runs by itself. */
  readonly recipe?: ValidRecipe;
  readonly sequence?: CheckedSequence;
  /** The hosts of which it takes some. */
  readonly inventory?: Inventory;
  /** Errors and warnings, in the order of the files. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Checks a recipe, and those that it uses or runs, as far as it can be without inputs. Each stage needs the one before it: the
 * first that finds an error is the last, since what follows would mostly be its echo.
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
  const { recipe: checked, whole, sequence } = loaded;
  const findings = [
    ...ownFindings(checked),
    ...(whole
      ? wholeFindings(whole)
      : sequence
        ? await findingsOfRuns(sequence)
        : stepsFindings(checked.data)),
    ...partFindings(checked),
  ];
  const errors = findings.filter((finding) => finding.severity !== 'warning');
  // A warning beside an error is mostly its echo: the reader of an input that nothing reads is misspelt.
  if (errors.length > 0) return { diagnostics: toDiagnostics(checked, errors) };
  const { inventory, diagnostics } = await inventoryFor(loaded, cwd, inventoryFile);
  if (diagnostics.length > 0) return { diagnostics };
  const found = {
    ...(inventory ? { inventory } : {}),
    diagnostics: toDiagnostics(checked, findings),
  };
  if (!sequence) return { ...(whole ? { recipe: whole } : {}), ...found };
  const { withInventories } = await import('./run-inventories.ts');
  const runs = await withInventories(sequence, cwd);
  return runs.sequence ? { sequence: runs.sequence, ...found } : { diagnostics: runs.diagnostics };
}

/** Few recipes are sequences. */
async function findingsOfRuns(sequence: ValidSequence): Promise<readonly Finding[]> {
  const { sequenceFindings } = await import('./sequence-findings.ts');
  return sequenceFindings(sequence);
}

async function inventoryFor(
  { whole, sequence, inventoryPath }: Extract<LoadedRecipe, { readonly recipe: unknown }>,
  cwd: string,
  file: string | undefined,
): Promise<{ readonly inventory?: Inventory; readonly diagnostics: readonly Diagnostic[] }> {
  const recipe = whole ?? sequence;
  const path = file === undefined ? inventoryPath : resolve(cwd, file);
  if (!recipe || path === undefined) return { diagnostics: [] };
  const { inventoryOf } = await import('./named-inventory.ts');
  return inventoryOf(recipe, path, file ?? nameOf(path, cwd), file !== undefined);
}
