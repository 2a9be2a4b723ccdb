import { FlowError } from '../errors/flow-error.ts';
import type { Diagnostic } from './diagnostic.ts';
import {
  type Finding,
  type RunRecipe,
  toDiagnostics,
  type ValidRecipe,
  type ValidSequence,
} from './finding.ts';
import { inventoryFindings } from './inventory-findings.ts';
import { type Inventory, readInventory } from './inventory.ts';
import { whyNotReadable } from './read-source.ts';

/**
 * Reads the inventory of a recipe.
 * @param name what messages call it
 * @param isGiven on the command line: the recipe does not name it
 * @returns what is wrong with it, or with what the recipe wants of it
 * @throws FlowError USAGE for one that is given and cannot be read
 */
export async function inventoryOf(
  recipe: ValidRecipe | ValidSequence | RunRecipe,
  path: string,
  name: string,
  isGiven: boolean,
): Promise<{ readonly inventory?: Inventory; readonly diagnostics: readonly Diagnostic[] }> {
  const used = 'usedBy' in recipe ? recipe : undefined;
  const told = (findings: readonly Finding[]): readonly Diagnostic[] =>
    toDiagnostics(
      recipe,
      findings.map((finding) => ({ ...finding, recipe: used })),
    );
  try {
    const { inventory, diagnostics } = await readInventory(path, name);
    if (!inventory) return { diagnostics };
    return { inventory, diagnostics: told(inventoryFindings(recipe.data, inventory)) };
  } catch (error) {
    const message = `The inventory ${name} cannot be read: ${
      error instanceof FlowError ? error.message : whyNotReadable(error)
    }`;
    if (isGiven) throw new FlowError('USAGE', message, { cause: error });
    const hint = 'Its path is from the directory of the recipe that names it.';
    return {
      diagnostics: told([{ path: ['inventory'], at: 'value', code: 'inventory', message, hint }]),
    };
  }
}
