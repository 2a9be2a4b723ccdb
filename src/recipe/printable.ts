/**
 * Text from a file, made safe for a terminal: every character that could move the cursor, change colours or reorder
 * text becomes one visible character, so that columns stay where they are.
 */
export function printable(text: string): string {
  return text.replaceAll(UNSAFE, (character) => {
    const point = character.codePointAt(0) ?? 0;
    if (character === '\t') return ' ';
    // U+2400 "Control Pictures" shows C0 controls by name.
    if (point < 0x20) return String.fromCodePoint(0x2400 + point);
    return point === 0x7f ? '\u2421' : '\ufffd';
  });
}

/** C0, DEL, C1, zero-width and bidirectional controls, line separators, lone surrogates. */
const UNSAFE =
  /[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/gu;

/** A value as a message names it: short, on one line, safe for a terminal. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  switch (typeof value) {
    case 'string':
      return value === '' ? 'an empty text' : `"${shorten(value)}"`;
    case 'number':
    case 'boolean':
      return String(value);
    default:
      return 'a mapping';
  }
}

/** A name as a message shows it, in backquotes. */
export function code(name: string): string {
  return `\`${shorten(name)}\``;
}

function shorten(text: string): string {
  const safe = printable(text);
  return safe.length <= MAX_SHOWN ? safe : `${safe.slice(0, MAX_SHOWN - 1)}…`;
}

const MAX_SHOWN = 60;
