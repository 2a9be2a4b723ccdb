import type { Host } from '../host/host.ts';
import type { Plan } from '../plan/plan.ts';
import { readWorkload, type WorkloadFacts } from '../workload/facts.ts';
import { findWorkload } from '../workload/find.ts';
import { destinationFindings } from './destination.ts';
import type { Finding } from './finding.ts';
import { hostFindings } from './host.ts';
import { workloadFindings } from './workload.ts';

/** What is found of both hosts and the workload. */
export interface Look {
  readonly workload: WorkloadFacts;
  /** What would make the run fail. */
  readonly findings: readonly Finding[];
}

/**
 * Looks at both hosts and at the workload. Changes nothing; finds everything at once.
 * @param detail takes what is looked at right now
 * @throws FlowError as {@link findWorkload} does, and when a host cannot be asked
 */
export async function lookAround(
  { plan, source, destination }: { readonly plan: Plan; readonly source: Host; readonly destination: Host },
  detail: (text: string) => void = () => undefined,
): Promise<Look> {
  const tools = plan.network.address ? ['ip', 'arping'] : [];
  detail('look at both hosts');
  const [onSource, onDestination, pid] = await Promise.all([
    hostFindings(source, ['criu', 'nft', 'rsync', 'ssh', 'ssh-keygen', 'sha256sum', 'ss', ...tools]),
    hostFindings(destination, ['criu', 'nft', 'rsync', 'sha256sum', ...tools]),
    findWorkload(source, plan.workload),
  ]);
  detail('look at the workload');
  const workload = await readWorkload(source, pid);
  detail('compare with the destination');
  const findings = [
    ...onSource,
    ...onDestination,
    ...workloadFindings(workload, source, plan.network),
    ...(await destinationFindings(destination, workload, plan)),
  ];
  return { workload, findings };
}
