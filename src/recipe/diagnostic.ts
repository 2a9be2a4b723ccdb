import type { SourceLocation } from '../errors/flow-error.ts';
import { printable } from './printable.ts';
import type { SourceFile } from './source-file.ts';

/** What kind of mistake it is, for programs. */
export type DiagnosticCode =
  | 'file'
  | 'yaml'
  | 'unknown-key'
  | 'missing-key'
  | 'wrong-value'
  | 'template'
  | 'steps'
  | 'checks'
  | 'hosts'
  | 'kind'
  | 'files'
  | 'transfer'
  | 'recipe'
  | 'unused-input'
  | 'inventory'
  | 'input';

export interface DiagnosticLocation extends SourceLocation {
  /** One past the last column of the mistake, on the same line. */
  readonly endColumn?: number;
}

/** One mistake in a recipe, and where it is. Plain JSON. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  readonly code: DiagnosticCode;
  /** What is wrong, in one sentence. */
  readonly message: string;
  /** What to do, in one or two sentences. */
  readonly hint?: string;
  readonly location: DiagnosticLocation;
  /** The line of the mistake and the one before it, as the file has them: print them through `formatDiagnostic`. */
  readonly excerpt: readonly { readonly line: number; readonly text: string }[];
}

export interface DiagnosticDetails {
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly severity?: 'error' | 'warning';
  /** The line holds what must not be repeated. */
  readonly isSecret?: boolean;
}

/** A diagnostic for the text between two offsets of a file; it ends with the line on which it starts. */
export function diagnosticAt(
  source: SourceFile,
  range: readonly [start: number, end: number],
  details: DiagnosticDetails,
): Diagnostic {
  const { line, column } = source.positionAt(range[0]);
  const end = source.positionAt(range[1]);
  const text = source.lineText(line);
  const endColumn = end.line === line ? end.column : text.length + 1;
  const isEmpty = text === '' && source.text.trim() === '';
  const lines = isEmpty || details.isSecret === true ? [] : [line - 1, line];
  return {
    severity: details.severity ?? 'error',
    code: details.code,
    message: details.message,
    ...(details.hint === undefined ? {} : { hint: details.hint }),
    location: { file: source.name, line, column, endColumn: Math.max(endColumn, column + 1) },
    excerpt: lines.filter((each) => each > 0).map((each) => ({ line: each, text: source.lineText(each) })),
  };
}

/**
 * A diagnostic as people read it: `file:line:col  error  message`, the lines with a squiggle, `help: …`. Nothing from
 * the file reaches the terminal as a control character.
 */
export function formatDiagnostic(diagnostic: Diagnostic, options: { readonly color?: boolean } = {}): string {
  const paint =
    options.color === true ? (sgr: string, text: string) => `\u001b[${sgr}m${text}\u001b[0m` : plain;
  const { severity, location } = diagnostic;
  const tint = severity === 'error' ? '31' : '33';
  const where = `${printable(location.file)}:${location.line}:${location.column}`;
  const lines = [`${paint('1', where)}  ${paint(tint, severity)}  ${printable(diagnostic.message)}`];
  const width = Math.max(4, ...diagnostic.excerpt.map(({ line }) => String(line).length + 2));
  const window = windowFor(location);
  for (const { line, text } of diagnostic.excerpt) {
    const cut = printable(text).slice(window.from, window.from + MAX_LINE);
    lines.push(`${paint('2', `${String(line).padStart(width)} |`)} ${cut}`.trimEnd());
  }
  if (diagnostic.excerpt.length > 0) {
    const squiggle = '^'.repeat(Math.min(window.length, MAX_LINE));
    const margin = `${' '.repeat(width)} |`;
    lines.push(
      `${paint('2', margin)} ${' '.repeat(location.column - 1 - window.from)}${paint(tint, squiggle)}`,
    );
  }
  for (const [index, hint] of (diagnostic.hint ?? '').split('\n').entries()) {
    if (hint !== '') lines.push(`${index === 0 ? paint('36', 'help:') : '     '} ${printable(hint)}`);
  }
  return lines.join('\n');
}

/** Diagnostics one after the other, with an empty line between. */
export function formatDiagnostics(
  diagnostics: readonly Diagnostic[],
  options: { readonly color?: boolean } = {},
): string {
  return diagnostics.map((diagnostic) => formatDiagnostic(diagnostic, options)).join('\n\n');
}

/** Columns of a line that are shown; the part around the mistake when the line is longer. */
const MAX_LINE = 100;

function windowFor(location: DiagnosticLocation): { readonly from: number; readonly length: number } {
  const length = (location.endColumn ?? location.column + 1) - location.column;
  const from = location.column + Math.min(length, 40) <= MAX_LINE ? 0 : location.column - 21;
  return { from, length: Math.min(length, MAX_LINE - (location.column - 1 - from)) };
}

function plain(_sgr: string, text: string): string {
  return text;
}
