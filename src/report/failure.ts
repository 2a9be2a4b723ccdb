import type { FailureData } from '../events/event.ts';
import { version } from '../package/version.ts';
import { createPaint, type Paint } from './format.ts';
import { sanitizeForTerminal, sanitizeLine } from './sanitize.ts';

export interface FailureContext {
  /** The step in which it happened, for people. */
  readonly step?: string | undefined;
  readonly paint?: Paint;
}

/** More of a tool's output is in the files of the run. */
const MAX_EVIDENCE_LINES = 12;

/**
 * A failure for people: what failed, where, the tool's own words, what to do, what to paste. Each of several lines,
 * no line feed at the end.
 */
export function formatFailure(failure: FailureData, context: FailureContext = {}): string {
  const paint = context.paint ?? createPaint(false);
  const lines = [
    `${paint('bad', `error ${sanitizeLine(failure.code)}:`)} ${paint('strong', sanitizeLine(failure.message))}`,
  ];
  /** One line beside its label, more of them below it. */
  const add = (label: string, ...texts: readonly string[]): void => {
    const below =
      texts.length === 1 ? ` ${texts[0]?.trimStart()}` : texts.map((text) => `\n    ${text}`).join('');
    lines.push(`  ${paint('faint', `${label}:`)}${below}`);
  };

  if (failure.location) {
    const { file, line, column } = failure.location;
    add('at', `${sanitizeLine(file)}:${line}:${column}`);
  }
  const where = [
    ...(failure.host === undefined ? [] : [`${paint('faint', 'host:')} ${sanitizeLine(failure.host)}`]),
    ...(context.step === undefined ? [] : [`${paint('faint', 'step:')} ${sanitizeLine(context.step)}`]),
  ];
  if (where.length > 0) lines.push(`  ${where.join('   ')}`);
  // The evidence of an interruption is the signal's name, which the message has already.
  const evidence = failure.code === 'INTERRUPTED' ? [] : linesOf(failure.evidence);
  // The end is where tools say why they gave up.
  if (evidence.length > 0) add(speaker(evidence), ...evidence.slice(-MAX_EVIDENCE_LINES));
  const hint = linesOf(failure.hint);
  if (hint.length > 0) add('do', ...hint);
  if (failure.command !== undefined) add('run', sanitizeLine(failure.command));
  if (failure.code === 'BUG') lines.push(...bugLines(failure));
  return lines.join('\n');
}

/** `CODE: message` on one line, for a line of a list. */
export function formatFailureLine(failure: FailureData): string {
  return `${sanitizeLine(failure.code)}: ${sanitizeLine(failure.message)}`;
}

function linesOf(text: string | undefined): string[] {
  return sanitizeForTerminal(text ?? '')
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '');
}

/** Whose words these are, as far as they tell. */
function speaker(evidence: readonly string[]): string {
  const isSaidBy = (pattern: RegExp): boolean => evidence.some((line) => pattern.test(line));
  if (isSaidBy(/\(criu\/|\bError \([\w/.-]+:\d+\)|^criu:/)) return 'criu says';
  if (isSaidBy(/^rsync(?::| error:)/)) return 'rsync says';
  if (
    isSaidBy(/^(?:ssh(?:_exchange_identification)?:|kex_exchange_identification:|Host key verification)/) ||
    isSaidBy(/Permission denied \(/)
  ) {
    return 'ssh says';
  }
  return 'details';
}

function bugLines(failure: FailureData): string[] {
  const stack = sanitizeForTerminal(failure.stack ?? '')
    .split('\n')
    .filter((line) => line.trimStart().startsWith('at '))
    .map((line) => `    ${line.trim()}`);
  return [
    ...stack,
    `  This is a bug in criu-flow ${version()} (node ${process.version}): please report it with the lines above.`,
  ];
}
