import type { Recipe, SequenceRun, Step } from './recipe.generated.ts';
import { type Diagnostic, diagnosticAt, type DiagnosticDetails } from './diagnostic.ts';
import type { Locations, Place, Range } from './locations.ts';
import type { Path } from './path.ts';
import type { SourceFile } from './source-file.ts';

/** A recipe that YAML could read. */
export interface ParsedRecipe {
  readonly source: SourceFile;
  readonly data: unknown;
  readonly locations: Locations;
}

/** What a recipe that others use has of a recipe. */
export type RecipeSteps = Pick<
  Recipe,
  'version' | 'name' | 'description' | 'inputs' | 'retries' | 'probes'
> & { readonly steps: readonly Step[] };

/** What a sequence has of a recipe: runs of others, and no steps of its own. */
export type RecipeRuns = RecipeSteps & { readonly runs: readonly SequenceRun[] };

/** A recipe that the schema accepts, with the recipes that its steps use. */
export interface ValidRecipe<Data extends RecipeSteps = Recipe> extends ParsedRecipe {
  readonly data: Data;
  /** By the step that uses it. */
  readonly used: ReadonlyMap<object, UsedRecipe>;
}

/** A recipe that a step of another one uses. */
export interface UsedRecipe extends ValidRecipe<RecipeSteps> {
  readonly usedBy: { readonly recipe: Pick<ParsedRecipe, 'source' | 'locations'>; readonly path: Path };
}

/** A whole recipe that a run of a sequence names. */
export interface RunRecipe extends UsedRecipe {
  readonly data: Recipe;
  /** The path of the inventory that it names itself. */
  readonly inventoryPath?: string | undefined;
}

/** A sequence that the schema accepts, with the recipes that it runs. */
export interface ValidSequence extends ValidRecipe<RecipeRuns> {
  /** By the run that names it. */
  readonly recipes: ReadonlyMap<object, RunRecipe>;
}

/** A mistake, and which key or value of the recipe it is about. */
export interface Finding extends DiagnosticDetails {
  readonly path: Path;
  /** The used recipe that it is in. */
  readonly recipe?: UsedRecipe | undefined;
  /** What to point at. */
  readonly at: 'key' | 'value';
  /** The part of the value, a template, that is wrong. */
  readonly part?: { readonly template: string; readonly offset: number; readonly length: number };
}

/** Diagnostics in the order of the files, at most {@link MAX_DIAGNOSTICS}. */
export function toDiagnostics(
  parsed: Pick<ParsedRecipe, 'source' | 'locations'>,
  findings: readonly Finding[],
): Diagnostic[] {
  const placed = findings.map((finding) => ({
    finding: withUse(finding),
    ...placeOf(finding.recipe ?? parsed, finding),
  }));
  const files = [...new Set([parsed.source, ...placed.map(({ source }) => source)])];
  return placed
    .toSorted((a, b) => files.indexOf(a.source) - files.indexOf(b.source) || a.range[0] - b.range[0])
    .slice(0, MAX_DIAGNOSTICS)
    .map(({ finding, source, range }) => diagnosticAt(source, range, finding));
}

/** More would hide the first. */
export const MAX_DIAGNOSTICS = 20;

/** Whoever reads of another file than the one that was given is told how it came in. */
function withUse(finding: Finding): Finding {
  const { recipe, hint } = finding;
  if (!recipe) return finding;
  const { locations } = recipe.usedBy.recipe;
  const { source, range } = locations.ofKey(recipe.usedBy.path);
  const { line, column } = source.positionAt(range[0]);
  const use = `It is used at ${source.name}:${line}:${column}`;
  return { ...finding, hint: hint === undefined ? use : `${hint}\n${use}` };
}

function placeOf({ locations }: Pick<ParsedRecipe, 'locations'>, finding: Finding): Place {
  if (finding.at === 'key') return locations.ofKey(finding.path);
  const { source, range } = locations.ofValue(finding.path);
  return { source, range: finding.part === undefined ? range : partOf(source.text, range, finding.part) };
}

/**
 * The place in the file of a part of a template. YAML's styles (quotes, escapes, folding) keep the braces as they are,
 * so the n-th brace pair of the value is the n-th of its text.
 */
function partOf(text: string, whole: Range, part: NonNullable<Finding['part']>): Range {
  const { template, offset, length } = part;
  const anchor = Math.max(template.lastIndexOf('{{', offset), template.lastIndexOf('{%', offset));
  if (anchor === -1) return whole;
  const braces = template.slice(anchor, anchor + 2);
  let at = whole[0] - 1;
  for (let found = template.indexOf(braces); found !== -1 && found <= anchor;) {
    at = text.indexOf(braces, at + 1);
    if (at === -1 || at >= whole[1]) return whole;
    found = template.indexOf(braces, found + 1);
  }
  const distance = offset - anchor;
  const same = text.slice(at, at + distance + length) === template.slice(anchor, offset + length);
  return same ? [at + distance, at + distance + Math.max(1, length)] : [at, at + 2];
}
