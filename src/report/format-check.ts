import type { CheckFinding, PlanCheck } from '../events/plan-check.ts';
import { formatFailure } from './failure.ts';
import { formatBytes, type Paint } from './format.ts';
import { sanitizeLine } from './sanitize.ts';

/** What the hosts say of a plan, for people; no line feed at the end. */
export function formatCheck({ failure, findings, workload }: PlanCheck, paint: Paint): string {
  if (failure) return formatFailure(failure, { paint });
  const { command = '', pid, processes, memoryBytes = 0 } = workload ?? {};
  const found = `${sanitizeLine(command)} (pid ${pid}, ${processes === 1 ? '1 process' : `${processes} processes`}, ${formatBytes(memoryBytes)} of memory)`;
  if (findings.length === 0) {
    return `${paint('good', 'Checked:')} both hosts can move ${found}. Nothing was changed.`;
  }
  const formatFinding = ({ host, message, remedy, command: run }: CheckFinding): string =>
    [
      `  ${paint('faint', 'host:')} ${sanitizeLine(host)}  ${sanitizeLine(message)}`,
      `    ${paint('faint', 'do:')} ${sanitizeLine(remedy)}`,
      ...(run === undefined ? [] : [`    ${paint('faint', 'run:')} ${sanitizeLine(run)}`]),
    ].join('\n');
  const count = findings.length === 1 ? '1 finding' : `${findings.length} findings`;
  return [
    `${paint('bad', `Preflight would refuse the run (${count})`)}, which is to move ${found}. Nothing was changed.`,
    ...findings.map(formatFinding),
  ].join('\n');
}
