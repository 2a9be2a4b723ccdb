import { stripVTControlCharacters } from 'node:util';

/** Longer texts are cut: a report is read by people, the whole text is in the files of the run. */
const MAX_LENGTH = 8192;

/**
 * Everything that steers a terminal or hides in text: controls (Cc), formats such as the bidirectional overrides and
 * zero-width characters (Cf), lone surrogates (Cs), line and paragraph separators (Zl, Zp). Line feeds are spared.
 */
const INVISIBLE = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * Makes text from a host safe to print: no escape sequence, no control character but the line feed, a bounded length.
 * What a host prints could otherwise repaint the screen, set the window's title, or fake a line of ours.
 */
export function sanitizeForTerminal(text: string): string {
  // Cut first, so that nobody can make the expressions below work for long.
  const cut = text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)} … (cut)` : text;
  // A carriage return would let the next text overwrite this line, so it ends the line instead.
  const lines = cut.replaceAll(/\r\n?/g, '\n').replaceAll('\t', ' ');
  // Whole sequences first, or their printable rest stays; then every control that is left, whatever it was part of.
  return stripVTControlCharacters(lines).replaceAll(INVISIBLE, '');
}

/** The same on one line: where a line feed could begin a forged entry of the report. */
export function sanitizeLine(text: string): string {
  return sanitizeForTerminal(text)
    .replaceAll(/\s*\n\s*/g, ' ')
    .trim();
}

/** One line of JSON with the same value, in which every character that could steer a terminal is escaped. */
export function toSafeJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from({ length: character.length }, (_, index) => escapeUnit(character.charCodeAt(index))).join(''),
  );
}

function escapeUnit(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`;
}
