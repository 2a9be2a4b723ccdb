import type { CheckFinding, PlanCheck } from '../events/plan-check.ts';
import { formatFailure } from './failure.ts';
import { formatBytes, type Paint } from './format.ts';
import { sanitizeLine } from './sanitize.ts';

/** What the hosts say of a plan, for people; no line feed at the end. */
export function formatCheck({ failure, findings, allowed, workload }: PlanCheck, paint: Paint): string {
  if (failure) return formatFailure(failure, { paint });
  const { command = '', pid, processes, memoryBytes = 0 } = workload ?? {};
  const found = `${sanitizeLine(command)} (pid ${pid}, ${processes === 1 ? '1 process' : `${processes} processes`}, ${formatBytes(memoryBytes)} of memory)`;
  const line = (finding: CheckFinding): string => formatFinding(finding, paint);
  const past = allowed.length === 0 ? [] : ['The recipe allows:', ...allowed.map(line)];
  if (findings.length === 0) {
    const verdict = `${paint('good', 'Checked:')} both hosts can move ${found}. Nothing was changed.`;
    return [verdict, ...past].join('\n');
  }
  const count = findings.length === 1 ? '1 finding' : `${findings.length} findings`;
  return [
    `${paint('bad', `Preflight would refuse the run (${count})`)}, which is to move ${found}. Nothing was changed. \`criu-flow explain CODE\` says more of each.`,
    ...findings.map(line),
    ...past,
  ].join('\n');
}

/** A finding, what to do, and the command. */
export function formatFinding({ code, host, message, remedy, command }: CheckFinding, paint: Paint): string {
  return [
    `  ${paint('strong', code)}  ${paint('faint', 'host:')} ${sanitizeLine(host)}  ${sanitizeLine(message)}`,
    `    ${paint('faint', 'do:')} ${sanitizeLine(remedy)}`,
    ...(command === undefined ? [] : [`    ${paint('faint', 'run:')} ${sanitizeLine(command)}`]),
  ].join('\n');
}
