import type { Diagnostic } from './diagnostic.ts';
import { printable } from './printable.ts';

/**
 * Diagnostics as workflow commands, a line each, which GitHub shows beside the lines that they are about.
 * @see https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
 */
export function formatAnnotations(diagnostics: readonly Diagnostic[]): string {
  return diagnostics.map(formatAnnotation).join('\n');
}

function formatAnnotation({ severity, message, hint, location }: Diagnostic): string {
  const { file, line, column } = location;
  const text = hint === undefined ? message : `${message}\n${hint}`;
  // Escaped first: what is left to be made printable is nothing that the escapes stand for.
  const command = `::${severity} file=${escapeProperty(file)},line=${line},col=${column}::${escapeData(text)}`;
  return printable(command);
}

/** As `escapeData` of @actions/core does. */
function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

/** As `escapeProperty` of @actions/core does: a colon or a comma would end it. */
function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
