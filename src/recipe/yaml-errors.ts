import { type Document, isCollection, isScalar, visit, type YAMLError } from 'yaml';
import type { DiagnosticDetails } from './diagnostic.ts';
import type { Range } from './locations.ts';
import type { SourceFile } from './source-file.ts';

type Explained = DiagnosticDetails & { readonly range: Range };
type Words = readonly [message: string, hint?: string];

/** What the yaml package found, in words for people who write recipes. */
export function explainYamlError(source: SourceFile, document: Document, error: YAMLError): Explained {
  const [start, end] = error.pos;
  const { line, column } = source.positionAt(start);
  const text = source.lineText(line);
  const brace = BARE_TEMPLATE.exec(text);
  if (brace) {
    const from = start - (column - 1) + brace.index + brace[0].length;
    return { code: 'yaml', range: [from, from + 2], ...UNQUOTED_TEMPLATE };
  }
  const opening = unclosed(source, document, start);
  if (opening !== undefined) {
    const message = `The ${code(source.text[opening])} that opens here is never closed`;
    const hint = `Add its ${code(CLOSING[source.text[opening] ?? ''])}.`;
    return { code: 'yaml', range: [opening, opening + 1], message, hint };
  }
  const [message, hint] = wordsFor(error, text.slice(column - 1));
  return { code: 'yaml', message, hint, range: [start, Math.max(end, start + 1)] };
}

/** `key: {{ x }}`: YAML reads a brace that is not quoted as the start of a mapping. */
export const UNQUOTED_TEMPLATE: Pick<DiagnosticDetails, 'message' | 'hint'> = {
  message: 'A template must be quoted: YAML reads the brace as the start of a mapping',
  hint: 'Write it in quotes: "{{ inputs.name }}".',
};

const BARE_TEMPLATE = /(?::\s+|^\s*-\s+|\[\s*)(?=\{\{)/;

const CLOSING: Readonly<Record<string, string>> = { "'": "'", '"': '"', '{': '}', '[': ']' };

/**
 * Where the quote or the bracket opens whose end the package missed. It tells of this at the end of the file, or at
 * the next line that makes no sense, however far away.
 */
function unclosed(source: SourceFile, document: Document, errorAt: number): number | undefined {
  let opening: number | undefined;
  visit(document, (_, node) => {
    const isQuoted = isScalar(node) && node.type?.startsWith('QUOTE') === true;
    const isFlow = isCollection(node) && node.flow === true;
    if ((!isQuoted && !isFlow) || !node.range) return;
    const [start, end] = node.range;
    const isClosed = end - start > 1 && source.text[end - 1] === CLOSING[source.text[start] ?? ''];
    if (!isClosed && start <= errorAt) opening = start;
  });
  return opening;
}

function wordsFor(error: YAMLError, rest: string): Words {
  switch (error.code) {
    case 'BAD_ALIAS':
      return ['This alias cannot be read', 'Quote the value if it begins with `*`.'];
    case 'BAD_DQ_ESCAPE':
      return ['This escape is not known', 'Write `\\\\` for a backslash, or use single quotes.'];
    case 'BAD_INDENT':
      return BAD_INDENT;
    case 'BAD_SCALAR_START':
      return ['A value cannot begin with this character', 'Quote the value.'];
    case 'BLOCK_AS_IMPLICIT_KEY':
      return /:\s/.test(rest) ? ['A value with a colon and a space in it must be quoted'] : BAD_INDENT;
    case 'MULTILINE_IMPLICIT_KEY':
      return NO_KEY;
    case 'MISSING_CHAR':
      return error.message.startsWith('Implicit map keys') ? NO_KEY : firstLine(error);
    case 'MULTIPLE_DOCS':
      return ['A file holds one recipe, and a second document begins here', 'Remove the `---` line.'];
    case 'TAB_AS_INDENT':
      return ['A tab cannot indent', 'Use spaces.'];
    case 'TAG_RESOLVE_FAILED':
      return ['Recipes have no tags', 'Remove the tag, or quote the value if it begins with `!`.'];
    default:
      return firstLine(error);
  }
}

const BAD_INDENT: Words = [
  'The indentation does not fit the lines around it',
  'Keys of one mapping begin at the same column, and so do the dashes of one list.',
];

const NO_KEY: Words = ['This is not `key: value`', 'A colon and a space stand between a key and its value.'];

/** The package's own words, without the lines of the file that it adds. */
function firstLine(error: YAMLError): Words {
  return [error.message.split('\n')[0]?.replace(/[:.]$/, '') ?? error.message];
}

function code(character = ''): string {
  return `\`${character}\``;
}
