import { setTimeout as delay } from 'node:timers/promises';
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

/** Milliseconds for which one that a tracer holds is looked at again: strace(1) holds it for a moment at each system call. */
const HELD_MS = 2_000;
const RETRY_MS = 50;

async function look(
  host: Host,
  pid: number,
  startTicks: number | undefined,
): Promise<WorkloadState | 'unknown'> {
  try {
    const deadline = performance.now() + HELD_MS;
    for (;;) {
      const state = await workloadState(host, pid, startTicks);
      if (state !== 'held' || performance.now() >= deadline) return state;
      await delay(RETRY_MS);
    }
  } catch {
    return 'unknown';
  }
}
