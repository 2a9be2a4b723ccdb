import validator from '../../schemas/recipe.validator.generated.cjs';
import { type DocumentKind, explainSchemaError, RECIPE } from './explain-schema-error.ts';
import type { Finding, ParsedRecipe, RecipeRuns, RecipeSteps } from './finding.ts';
import type { Recipe } from './recipe.generated.ts';
import { pathKey, type Path } from './path.ts';

/** Checks a recipe against schemas/recipe.schema.json; without findings it is a valid one. */
export function schemaFindings(parsed: ParsedRecipe): readonly Finding[] {
  return findingsOf(validator, parsed, RECIPE);
}

/** The same of any document with a validator that is generated. */
export function findingsOf(
  validate: Pick<typeof validator, 'errors'> & ((data: unknown) => boolean),
  { data }: Pick<ParsedRecipe, 'data'>,
  document: DocumentKind,
): readonly Finding[] {
  if (validate(data)) return [];
  const findings = (validate.errors ?? [])
    .filter((error) => !isEcho(error))
    .flatMap((error) => explainSchemaError(error, toPath(error.instancePath, data), document, data));
  return withoutEchoes(findings);
}

/** What {@link schemaFindings} found nothing wrong with: a whole recipe, a sequence of some, or steps that others use. */
export function toValid({ data }: ParsedRecipe): {
  readonly whole?: Recipe;
  readonly sequence?: RecipeRuns;
  readonly steps: RecipeSteps;
} {
  const recipe = data as Recipe;
  if (recipe.kind === 'steps') return { steps: recipe };
  if (recipe.kind !== 'sequence') return { whole: recipe, steps: recipe };
  const sequence = { ...(data as Omit<RecipeRuns, 'steps'>), steps: [] };
  return { sequence, steps: sequence };
}

/** What `propertyNames` found inside of a name, and the members of a choice, are told of by their parents. */
function isEcho(error: validator.SchemaError): boolean {
  return (
    error.propertyName !== undefined ||
    error.keyword === 'if' ||
    (error.keyword === 'required' && error.parentSchema?.description === undefined)
  );
}

/**
 * One finding for each place. A mapping that lacks its keys because one is misspelt has only the misspelling; one of
 * the wrong type, only the type, since what else it has is meant for that type.
 */
function withoutEchoes(findings: readonly Finding[]): Finding[] {
  const explained = new Set(
    findings
      .filter(
        ({ code, hint, path }) =>
          (code === 'unknown-key' && hint?.startsWith('Did you mean')) || path.at(-1) === 'uses',
      )
      .map(({ path }) => pathKey(path.slice(0, -1))),
  );
  const mistyped = new Set(
    findings.filter(({ path }) => path.at(-1) === 'uses').map(({ path }) => pathKey(path.slice(0, -1))),
  );
  // What it needs depends on its kind, of which one word is wrong, or left out.
  const isOfNoKind = findings.some(
    ({ path, code }) =>
      path.length === 1 && (path[0] === 'kind' || (path[0] === 'runs' && code === 'unknown-key')),
  );
  const seen = new Set<string>();
  return findings.filter(({ code, path, message }) => {
    if (isOfNoKind && code === 'missing-key' && path.length <= 1) return false;
    if (code === 'missing-key' && explained.has(pathKey(path))) return false;
    if (path.at(-1) !== 'uses' && path.some((_, length) => mistyped.has(pathKey(path.slice(0, length))))) {
      return false;
    }
    const key = `${pathKey(path)} ${message}`;
    const isNew = !seen.has(key);
    seen.add(key);
    return isNew;
  });
}

/** A JSON pointer as a path: what is an index depends on the data. */
function toPath(pointer: string, data: unknown): Path {
  const path: (string | number)[] = [];
  let at: unknown = data;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    path.push(Array.isArray(at) ? Number(key) : key);
    at = typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined;
  }
  return path;
}
