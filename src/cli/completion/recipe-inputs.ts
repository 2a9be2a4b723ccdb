import type { Candidate, Line } from './line.ts';

/** What no shell takes for anything else: what is offered stands on a command line as it is. */
const SAFE = /^[\w@%+:,./-]+$/;

const MAX_CANDIDATES = 1000;

/**
 * The inputs of the recipe on the line which are not given yet, as `name=`; of one that is begun, the values that it can have. Asks no
 * host. A recipe that is wrong has none: `validate` says why.
 */
export async function recipeInputs({ args, options, word }: Line): Promise<readonly Candidate[]> {
  const [recipe] = args;
  if (recipe === undefined) return [];
  const { loadRecipe } = await import('../../recipe/load-recipe.ts');
  const loaded = await loadRecipe(recipe, process.cwd()).catch(() => undefined);
  if (!loaded || !('recipe' in loaded)) return [];
  const inputs = loaded.recipe.data.inputs ?? {};
  const [name = '', begun] = word.split(/=(.*)/s);
  if (begun === undefined) {
    const given = new Set(options.get('input')?.map((each) => each.replace(/=.*$/s, '')));
    return Object.entries(inputs).flatMap(([each, { type, description = '' }]) =>
      type === 'secret' || (type !== 'list' && given.has(each)) ? [] : [{ value: `${each}=`, description }],
    );
  }
  const input = Object.hasOwn(inputs, name) ? inputs[name] : undefined;
  const isHost = input?.type === 'host' || (input?.type === 'list' && input.items === 'host');
  const inventory = options.get('inventory')?.at(-1) ?? loaded.inventoryPath;
  const values = isHost ? await hostsOf(inventory, input.group) : valuesOf(input);
  return values
    .filter(({ value }) => SAFE.test(value))
    .slice(0, MAX_CANDIDATES)
    .map(({ value, description }) => ({ value: `${name}=${value}`, description }));
}

function valuesOf(
  input: { readonly type: string; readonly values?: readonly string[] } | undefined,
): readonly Candidate[] {
  const values = input?.type === 'bool' ? ['true', 'false'] : (input?.values ?? []);
  return values.map((value) => ({ value, description: '' }));
}

async function hostsOf(path: string | undefined, group: string | undefined): Promise<readonly Candidate[]> {
  if (path === undefined) return [];
  const { readInventory } = await import('../../recipe/inventory.ts');
  const inventory = await readInventory(path, path).then(
    (read) => read.inventory,
    () => undefined,
  );
  const hosts = group === undefined ? [...(inventory?.hosts.keys() ?? [])] : inventory?.groups.get(group);
  return (hosts ?? []).map((value) => ({ value, description: '' }));
}
