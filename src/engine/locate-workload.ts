import type { WorkloadLocation } from '../events/event.ts';
import type { Host } from '../host/host.ts';
import type { RunState } from '../steps/step.ts';
import { workloadState, type WorkloadState } from '../workload/identity.ts';

/** Looks at the hosts for where the workload is alive now; never trusts what the run believes. */
export async function locateWorkload(
  hosts: { readonly source: Host; readonly destination: Host },
  state: RunState,
): Promise<WorkloadLocation> {
  const { workload } = state;
  // Never found, or never looked for: nothing was touched, and nothing is claimed.
  if (!workload) return 'unknown';
  const startTicks = workload.processes[0]?.startTicks;
  const onSource = await look(hosts.source, workload.rootPid, startTicks);
  if (onSource === 'running') return 'source';
  if (!state.restoreBegan) return onSource === 'gone' ? 'nowhere' : 'unknown';
  const onDestination = await look(hosts.destination, workload.rootPid, undefined);
  if (onDestination === 'running' && state.releasedAtMs !== undefined) return 'destination';
  return onSource === 'gone' && onDestination === 'gone' ? 'nowhere' : 'unknown';
}

async function look(
  host: Host,
  pid: number,
  startTicks: number | undefined,
): Promise<WorkloadState | 'unknown'> {
  try {
    return await workloadState(host, pid, startTicks);
  } catch {
    return 'unknown';
  }
}
