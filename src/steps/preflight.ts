import { FlowError } from '../errors/flow-error.ts';
import { destinationFindings } from '../preflight/destination.ts';
import type { Finding } from '../preflight/finding.ts';
import { hostFindings } from '../preflight/host.ts';
import { workloadFindings } from '../preflight/workload.ts';
import { readWorkload } from '../workload/facts.ts';
import { findWorkload } from '../workload/find.ts';
import type { StepType } from './step.ts';

/** Look at both hosts and at the workload. Changes nothing; reports everything that it finds at once. */
export const preflight: StepType = {
  timeoutMs: 60_000,
  main: {
    async run(context) {
      const { source, destination, plan, state } = context;
      const tools = plan.network.address ? ['ip', 'arping'] : [];
      context.detail('look at both hosts');
      const [onSource, onDestination, pid] = await Promise.all([
        hostFindings(source, ['criu', 'nft', 'rsync', 'ssh', 'ssh-keygen', 'sha256sum', 'ss', ...tools]),
        hostFindings(destination, ['criu', 'nft', 'rsync', 'sha256sum', ...tools]),
        findWorkload(source, plan.workload),
      ]);
      context.detail('look at the workload');
      const workload = await readWorkload(source, pid);
      state.workload = workload;
      context.detail('compare with the destination');
      const findings: Finding[] = [
        ...onSource,
        ...onDestination,
        ...workloadFindings(workload, source, plan.network),
        ...(await destinationFindings(destination, workload, plan)),
      ];
      const [worst] = findings;
      if (worst) throw refusal(findings);
      return describe(workload.processes.length, workload.processes[0]?.command ?? '');
    },
  },
};

function refusal(findings: readonly Finding[]): FlowError {
  const [first] = findings;
  const more = findings.length === 1 ? '' : ` (${findings.length} findings)`;
  return new FlowError('PREFLIGHT_REFUSED', `Preflight refused the run${more}: ${first?.message}`, {
    ...(first?.host === undefined ? {} : { host: first.host }),
    ...(first?.command === undefined ? {} : { command: first.command }),
    hint: findings
      .map((finding) =>
        finding === first ? finding.remedy : `${finding.message} (${finding.host}). ${finding.remedy}`,
      )
      .join('\n'),
  });
}

function describe(processes: number, command: string): string {
  return `${processes === 1 ? '1 process' : `${processes} processes`}: ${command}`;
}
