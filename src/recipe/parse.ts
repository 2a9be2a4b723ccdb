import { Composer, type Document, isScalar, YAMLParseError } from 'yaml';
import { type Diagnostic, diagnosticAt } from './diagnostic.ts';
import type { ParsedRecipe } from './finding.ts';
import type { SourceFile } from './source-file.ts';
import { toData } from './yaml-data.ts';
import { explainYamlError } from './yaml-errors.ts';
import { readTokens } from './yaml-tokens.ts';

export interface ParseResult {
  readonly parsed?: ParsedRecipe;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Reads YAML: the core schema of YAML 1.2, one document, no tags, unique keys that are text. `yes`, `no` and `on` stay
 * text, and there is no `<<`.
 */
export function parseRecipe(source: SourceFile): ParseResult {
  const fail = (start: number, end: number, message: string, hint: string): ParseResult => ({
    diagnostics: [diagnosticAt(source, [start, end], { code: 'yaml', message, hint })],
  });
  const { tokens, tooDeepAt } = readTokens(source.text);
  if (tooDeepAt !== undefined) {
    return fail(
      tooDeepAt,
      tooDeepAt + 1,
      `The ${source.noun} nests too deep`,
      'Twenty levels are enough for any.',
    );
  }
  // Unique keys are checked in toData: the package compares each key with each other.
  const composer = new Composer({ schema: 'core', resolveKnownTags: false, uniqueKeys: false, merge: false });
  const [document, ...others] = composer.compose(tokens, true, source.text.length);
  // The package makes at least one document; one that is empty, after a last `---`, does no harm.
  if (document === undefined) throw new Error('yaml made no document');
  const errors = [...document.errors, ...document.warnings];
  const second = others.find((each) => !isEmpty(each) || each.errors.length > 0);
  if (errors.length === 0 && second !== undefined) {
    errors.push(new YAMLParseError([second.range[0], second.range[0] + 3], 'MULTIPLE_DOCS', ''));
  }
  // The first one only: what follows a mistake in YAML is mostly its echo.
  const first = errors.toSorted((a, b) => a.pos[0] - b.pos[0])[0];
  if (first !== undefined) {
    const explained = explainYamlError(source, document, first);
    return { diagnostics: [diagnosticAt(source, explained.range, explained)] };
  }
  if (isEmpty(document)) {
    return fail(
      0,
      0,
      `The ${source.noun} is empty`,
      source.noun === 'recipe'
        ? 'Start from a bundled one, for example recipes/process-rsync.yaml.'
        : source.noun === 'inventory'
          ? 'It begins with `version: 1`, and has `hosts`.'
          : 'Write `name: value`, one on each line.',
    );
  }
  const { data, locations, problems } = toData(source, document);
  if (problems.length > 0) {
    return {
      diagnostics: problems.slice(0, 5).map((problem) => diagnosticAt(source, problem.range, problem)),
    };
  }
  return { parsed: { source, data, locations }, diagnostics: [] };
}

/** Nothing but comments and `---`. */
function isEmpty({ contents }: Document): boolean {
  return contents === null || (isScalar(contents) && contents.source === '');
}
