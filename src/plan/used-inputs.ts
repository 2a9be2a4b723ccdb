import type { UsedRecipe } from '../recipe/finding.ts';
import { givenInput } from '../recipe/given-findings.ts';
import { checkInput } from '../recipe/input-value.ts';
import type { Path } from '../recipe/path.ts';
import { code } from '../recipe/printable.ts';
import type { Input, RecipeStep } from '../recipe/recipe.generated.ts';
import type { TemplateValue } from '../template/filters.ts';
import { declaredSource, type ResolvedInputs, typed } from './inputs.ts';
import type { SecretSource } from './plan.ts';
import type { RecipeRenderer } from './render-recipe.ts';

type Given = NonNullable<RecipeStep['with']['inputs']>;

/**
 * The inputs of a recipe that a step uses: what the step gives, rendered as whoever uses it sees it, else what they are by
 * themselves. What they do not take is a finding of the renderer.
 */
export function resolveGiven(
  renderer: RecipeRenderer,
  recipe: UsedRecipe,
  given: Given,
  path: Path,
  item: string | undefined,
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
      raw === undefined ? input.default : asDeclared(renderer.render(raw, [...path, name], item), input);
    const problem = checkInput(`The input ${code(name)}`, input, value);
    if (problem) renderer.refuse([...path, name], problem, 'input');
    else values.set(name, value as TemplateValue);
  }
  return { values, secrets };
}

/** Templates were checked with the type that the input declares: a number is never equal to a text. */
function asDeclared(value: unknown, input: Input): unknown {
  const isScalar = typeof value === 'string' || typeof value === 'number';
  return isScalar && input.type !== 'list' ? typed([String(value)], input) : value;
}

/** The checks let through nothing but a template that is one secret. */
function secretOf({ inputs }: RecipeRenderer, raw: Given[string]): SecretSource | undefined {
  const name = givenInput(String(raw));
  return name === undefined ? undefined : inputs.secrets[name];
}
