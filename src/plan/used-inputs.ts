import type { UsedRecipe } from '../recipe/finding.ts';
import { givenInput } from '../recipe/given-findings.ts';
import { checkInput } from '../recipe/input-value.ts';
import type { Path } from '../recipe/path.ts';
import { code } from '../recipe/printable.ts';
import { isOfHosts } from '../recipe/inventory-findings.ts';
import type { Inventory } from '../recipe/inventory.ts';
import type { GivenInputs, Input } from '../recipe/recipe.generated.ts';
import type { TemplateValue } from '../template/filters.ts';
import { declaredSource, type ResolvedInputs, typed } from './inputs.ts';
import type { SecretSource } from './plan.ts';
import type { RecipeRenderer } from './render-recipe.ts';

/**
 * The inputs of a recipe that another one uses: what that gives, rendered as whoever uses it sees it, else what they are by
 * themselves. What they do not take is a finding of the renderer.
 * @param inventory of that recipe: of the hosts that are its own defaults
 */
export function resolveGiven(
  renderer: RecipeRenderer,
  recipe: UsedRecipe,
  given: GivenInputs,
  path: Path,
  item: string | undefined,
  inventory?: Inventory,
): ResolvedInputs {
  const values = new Map<string, TemplateValue>();
  const secrets: Record<string, SecretSource> = {};
  for (const [name, input] of Object.entries(recipe.data.inputs ?? {})) {
    const raw = given[name];
    if (input.type === 'secret') {
      const source = raw === undefined ? input.from && declaredSource(input.from) : secretOf(renderer, raw);
      if (source) secrets[name] = source;
      continue;
    }
    const value =
      raw === undefined
        ? defaultOf(input, inventory)
        : asDeclared(renderer.render(raw, [...path, name], item), input);
    const problem = checkInput(`The input ${code(name)}`, input, value);
    if (problem) renderer.refuse([...path, name], problem, 'input');
    else values.set(name, value as TemplateValue);
  }
  return { values, secrets };
}

/** Of a host what ssh(1) is given: the checks let none through that the inventory has not. */
function defaultOf(input: Input, inventory: Inventory | undefined): Input['default'] {
  const { default: value } = input;
  if (!inventory || !isOfHosts(input)) return value;
  const sshOf = (host: string): string => inventory.hosts.get(host)?.ssh ?? host;
  return Array.isArray(value) ? value.map(sshOf) : value === undefined ? value : sshOf(String(value));
}

/** Templates were checked with the type that the input declares: a number is never equal to a text. */
function asDeclared(value: unknown, input: Input): unknown {
  const isScalar = typeof value === 'string' || typeof value === 'number';
  return isScalar && input.type !== 'list' ? typed([String(value)], input) : value;
}

/** The checks let through nothing but a template that is one secret. */
function secretOf({ inputs }: RecipeRenderer, raw: GivenInputs[string]): SecretSource | undefined {
  const name = givenInput(String(raw));
  return name === undefined ? undefined : inputs.secrets[name];
}
