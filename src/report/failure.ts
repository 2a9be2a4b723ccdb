import type { FailureData } from '../events/event.ts';
import { version } from '../version.ts';
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
    `${paint('bad', `error ${failure.code}:`)} ${paint('strong', sanitizeLine(failure.message))}`,
  ];
  const add = (label: string, text: string) => lines.push(`  ${paint('faint', `${label}:`)} ${text}`);

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
  if (failure.evidence !== undefined && failure.code !== 'INTERRUPTED') addEvidence(failure.evidence, add);
  if (failure.hint !== undefined) add('do', sanitizeLine(failure.hint));
  if (failure.command !== undefined) add('run', sanitizeLine(failure.command));
  if (failure.code === 'BUG') lines.push(...bugLines(failure));
  return lines.join('\n');
}

/** `CODE: message` on one line, for a line of a list. */
export function formatFailureLine(failure: FailureData): string {
  return `${failure.code}: ${sanitizeLine(failure.message)}`;
}

function addEvidence(evidence: string, add: (label: string, text: string) => void): void {
  const lines = sanitizeForTerminal(evidence)
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '');
  if (lines.length === 0) return;
  const label = `${speaker(evidence)} says`;
  // The end is where tools say why they gave up.
  const shown = lines.slice(-MAX_EVIDENCE_LINES);
  if (shown.length === 1) add(label, shown[0]?.trim() ?? '');
  else add(label, shown.map((line) => `\n    ${line}`).join(''));
}

/** Whose words these are, as far as they tell. */
function speaker(evidence: string): string {
  if (/\(criu\/|\bError \([\w/.-]+:\d+\)|^criu:/m.test(evidence)) return 'criu';
  if (/^rsync(?::| error:)/m.test(evidence)) return 'rsync';
  if (
    /^(?:ssh(?:_exchange_identification)?:|kex_exchange_identification:|.*Permission denied \(|Host key verification)/m.test(
      evidence,
    )
  ) {
    return 'ssh';
  }
  return 'it';
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
