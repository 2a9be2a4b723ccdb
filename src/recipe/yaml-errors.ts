import type { ErrorCode, YAMLError } from 'yaml';
import type { DiagnosticDetails } from './diagnostic.ts';
import type { Range } from './locations.ts';
import type { SourceFile } from './source-file.ts';

/** What the yaml package found, in words for people who write recipes. */
export function explainYamlError(source: SourceFile, error: YAMLError): DiagnosticDetails & { range: Range } {
  const { line } = source.positionAt(error.pos[0]);
  const range: Range = [error.pos[0], Math.max(error.pos[1], error.pos[0] + 1)];
  if (/:\s+\{\{/.test(source.lineText(line))) {
    return { code: 'yaml', range, ...UNQUOTED_TEMPLATE };
  }
  const [message, hint] = WORDS[error.code] ?? [firstSentence(error.message)];
  return { code: 'yaml', message, hint, range };
}

/** `key: {{ x }}`: YAML reads a brace that is not quoted as the start of a mapping. */
export const UNQUOTED_TEMPLATE: Pick<DiagnosticDetails, 'message' | 'hint'> = {
  message: 'A template must be quoted: YAML reads the brace as the start of a mapping',
  hint: 'Write it in quotes: "{{ inputs.name }}".',
};

const WORDS: Partial<Record<ErrorCode, readonly [message: string, hint?: string]>> = {
  BAD_ALIAS: ['This alias cannot be read', 'Quote the value if it begins with `*`.'],
  BAD_DQ_ESCAPE: ['This escape is not known', 'Write `\\\\` for a backslash, or use single quotes.'],
  BAD_INDENT: [
    'The indentation does not fit the lines before',
    'Keys of one mapping begin at the same column.',
  ],
  BAD_SCALAR_START: ['A value cannot begin with this character', 'Quote the value.'],
  BLOCK_AS_IMPLICIT_KEY: ['A mapping cannot begin here', 'Quote the value if it holds `: `.'],
  MULTIPLE_DOCS: ['A file holds one recipe, and a second document begins here', 'Remove the `---` line.'],
  RESOURCE_EXHAUSTION: ['The recipe nests too deep', 'A recipe needs fewer than ten levels.'],
  TAB_AS_INDENT: ['A tab cannot indent', 'Use spaces.'],
  TAG_RESOLVE_FAILED: ['Recipes have no tags', 'Remove the tag, or quote the value if it begins with `!`.'],
};

function firstSentence(message: string): string {
  return message.split('\n')[0]?.replace(/[:.]$/, '') ?? message;
}
