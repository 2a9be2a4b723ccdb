import { FlowError } from '../errors/flow-error.ts';
import type { Finding } from '../preflight/finding.ts';
import { lookAround } from '../preflight/look.ts';
import type { Plan } from '../plan/plan.ts';
import type { StepContext, StepType } from './step.ts';

/** Look at both hosts and at the workload. Changes nothing; reports everything that it finds at once. What the recipe allows becomes a warning. */
export const preflight: StepType = {
  timeoutMs: 60_000,
  main: {
    async run(context) {
      const { workload, checkpoint, findings, allowed } = await lookAround(
        { ...context, plan: withLocked(context) },
        context.detail,
      );
      context.state.workload = workload;
      if (checkpoint) context.state.checkpoint = checkpoint;
      for (const { code, host, message } of allowed)
        context.warn(`${code} is allowed: ${message} (${host}).`);
      if (findings.length > 0) throw refusal(findings);
      return describe(workload.processes.length, workload.processes[0]?.command ?? '');
    },
  },
};

/** The latest checkpoint is the one whose process ids are locked, though there may be a later one by now. */
function withLocked({ plan, state: { checkpoint } }: StepContext): Plan {
  if (!checkpoint || plan.workload.kind === 'revert') return plan;
  const { series, id } = checkpoint;
  return { ...plan, workload: { kind: 'checkpoint', series, id } };
}

function refusal(findings: readonly Finding[]): FlowError {
  const [first] = findings;
  const more = findings.length === 1 ? '' : ` (${findings.length} findings)`;
  return new FlowError(
    'PREFLIGHT_REFUSED',
    `Preflight refused the run${more}: ${first?.message} [${first?.code}]`,
    {
      ...(first?.host === undefined ? {} : { host: first.host }),
      ...(first?.command === undefined ? {} : { command: first.command }),
      hint: findings
        .map((finding) =>
          finding === first
            ? finding.remedy
            : `${finding.message} (${finding.host}) [${finding.code}]. ${finding.remedy}`,
        )
        .join('\n'),
    },
  );
}

function describe(processes: number, command: string): string {
  return `${processes === 1 ? '1 process' : `${processes} processes`}: ${command}`;
}
