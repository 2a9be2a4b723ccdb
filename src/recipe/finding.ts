import type { Recipe } from './recipe.generated.ts';
import { type Diagnostic, diagnosticAt, type DiagnosticDetails } from './diagnostic.ts';
import type { Locations, Range } from './locations.ts';
import type { Path } from './path.ts';
import type { SourceFile } from './source-file.ts';

/** A recipe that YAML could read. */
export interface ParsedRecipe {
  readonly source: SourceFile;
  readonly data: unknown;
  readonly locations: Locations;
}

/** A recipe that the schema accepts. */
export interface ValidRecipe extends ParsedRecipe {
  readonly data: Recipe;
}

/** A mistake, and which key or value of the recipe it is about. */
export interface Finding extends DiagnosticDetails {
  readonly path: Path;
  /** What to point at. */
  readonly at: 'key' | 'value';
  /** The part of the value, a template, that is wrong. */
  readonly part?: { readonly template: string; readonly offset: number; readonly length: number };
}

/** Diagnostics in the order of the file, at most {@link MAX_DIAGNOSTICS}. */
export function toDiagnostics(
  parsed: Pick<ParsedRecipe, 'source' | 'locations'>,
  findings: readonly Finding[],
): Diagnostic[] {
  return findings
    .map((finding) => ({ finding, range: rangeOf(parsed, finding) }))
    .toSorted((a, b) => a.range[0] - b.range[0])
    .slice(0, MAX_DIAGNOSTICS)
    .map(({ finding, range }) => diagnosticAt(parsed.source, range, finding));
}

/** More would hide the first. */
export const MAX_DIAGNOSTICS = 20;

function rangeOf(parsed: Pick<ParsedRecipe, 'source' | 'locations'>, finding: Finding): Range {
  if (finding.at === 'key') return parsed.locations.ofKey(finding.path);
  const whole = parsed.locations.ofValue(finding.path);
  return finding.part === undefined ? whole : partOf(parsed.source.text, whole, finding.part);
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
