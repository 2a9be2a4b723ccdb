import { diagnosticAt, type Diagnostic } from './diagnostic.ts';
import { SourceFile, type SourceNoun } from './source-file.ts';

/** Bytes that a recipe may have: a hundred times a long one. YAML, templates and schema take milliseconds for it. */
export const MAX_RECIPE_BYTES: number = 1024 * 1024;

/** The text of a recipe, or why it cannot be one. A byte order mark is dropped. */
export function decodeRecipe(
  name: string,
  bytes: Uint8Array,
  noun: SourceNoun = 'recipe',
): { readonly source: SourceFile; readonly diagnostics: readonly Diagnostic[] } {
  if (bytes.length > MAX_RECIPE_BYTES) return tooLarge(name, bytes.length, noun);
  const source = new SourceFile(name, new TextDecoder('utf-8').decode(bytes), noun);
  const at = source.text.search(NOT_TEXT);
  if (at === -1) return { source, diagnostics: [] };
  const character = source.text.codePointAt(at) ?? 0;
  const escape = `\\x${character.toString(16).padStart(2, '0')}`;
  const words =
    character === 0xfffd
      ? { message: 'This is not UTF-8 text', hint: `Is this a ${noun}? Save it as UTF-8.` }
      : {
          message: `A ${noun} cannot hold the control character ${escape}`,
          hint: `In double quotes, YAML writes it as ${escape}.`,
        };
  return { source, diagnostics: [diagnosticAt(source, [at, at + 1], { code: 'file', ...words })] };
}

/** A file that is too large is not read, so there is no text to show. */
export function tooLarge(
  name: string,
  sizeBytes: number,
  noun: SourceNoun = 'recipe',
): { readonly source: SourceFile; readonly diagnostics: readonly Diagnostic[] } {
  const source = new SourceFile(name, '', noun);
  const size = `${(sizeBytes / 1024 / 1024).toFixed(1)} MiB`;
  const diagnostic = diagnosticAt(source, [0, 0], {
    code: 'file',
    message: `The file has ${size}, and a ${noun} has at most ${MAX_RECIPE_BYTES / 1024 / 1024} MiB`,
    hint: 'Is this the right file?',
  });
  return { source, diagnostics: [diagnostic] };
}

/** U+FFFD is what the decoder makes of bytes that are not UTF-8. */
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const NOT_TEXT = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufffd]/;
