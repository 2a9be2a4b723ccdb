import type { Diagnostic } from './diagnostic.ts';
import type { RunRecipe, ValidSequence } from './finding.ts';
import type { Inventory } from './inventory.ts';
import { nameOf } from './load-recipe.ts';

/** A sequence without a mistake. */
export interface CheckedSequence extends ValidSequence {
  /** The inventories that the recipes of its runs name themselves. */
  readonly inventories: ReadonlyMap<RunRecipe, Inventory>;
}

/** Reads the inventories that the recipes of a sequence name themselves, or says what is wrong with one. */
export async function withInventories(
  sequence: ValidSequence,
  cwd: string,
): Promise<
  | { readonly sequence: CheckedSequence; readonly diagnostics: readonly [] }
  | { readonly sequence?: never; readonly diagnostics: readonly Diagnostic[] }
> {
  const inventories = new Map<RunRecipe, Inventory>();
  const { inventoryOf } = await import('./named-inventory.ts');
  for (const recipe of sequence.recipes.values()) {
    const path = recipe.inventoryPath;
    if (path === undefined) continue;
    const { inventory, diagnostics } = await inventoryOf(recipe, path, nameOf(path, cwd), false);
    if (diagnostics.length > 0) return { diagnostics };
    if (inventory) inventories.set(recipe, inventory);
  }
  return { sequence: { ...sequence, inventories }, diagnostics: [] };
}
