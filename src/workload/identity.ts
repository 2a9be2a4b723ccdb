import { FlowError } from '../errors/flow-error.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import type { WorkloadFacts } from './facts.ts';

/** Prints the state letter and the start time of a process, or nothing. Argument: the pid. */
const STATE_SCRIPT = `
[ ! -r "/proc/$1/stat" ] || { set -- $(sed 's/^.*) //' "/proc/$1/stat"); echo "$1 \${20}"; }
`;

/**
 * Whether the root process of the workload is there, is the same one (by its start time), and runs.
 * @returns `running`, `stopped` (stopped, traced or frozen by a signal), or `gone` (a zombie counts as gone).
 */
export async function workloadState(
  host: Host,
  pid: number,
  startTicks: number | undefined,
): Promise<'running' | 'stopped' | 'gone'> {
  const { stdout } = await mustRunScript(host, STATE_SCRIPT, [String(pid)], {
    what: 'Looking at the workload',
  });
  const [letter, start] = stdout.trim().split(' ');
  if (letter === undefined || letter === '' || letter === 'Z' || letter === 'X') return 'gone';
  if (startTicks !== undefined && Number(start) !== startTicks) return 'gone';
  return letter === 'T' || letter === 't' ? 'stopped' : 'running';
}

/**
 * @throws FlowError WORKLOAD_NOT_FOUND when the root process ended, or its pid belongs to another process by now.
 */
export async function requireSameProcess(host: Host, workload: WorkloadFacts): Promise<void> {
  const root = workload.processes[0];
  const state = await workloadState(host, workload.rootPid, root?.startTicks);
  if (state === 'running') return;
  throw new FlowError(
    'WORKLOAD_NOT_FOUND',
    state === 'gone'
      ? `Process ${workload.rootPid} (${root?.command}) on ${host.name} has ended`
      : `Process ${workload.rootPid} (${root?.command}) on ${host.name} is stopped`,
    {
      host: host.name,
      command: `cat /proc/${workload.rootPid}/status`,
      ...(state === 'stopped' ? { hint: `Let it go on: kill -CONT ${workload.rootPid}` } : {}),
    },
  );
}

/** criu must be told when the root process is in a session whose leader does not move with it. */
export function needsShellJob(workload: WorkloadFacts): boolean {
  const pids = new Set(workload.processes.map((process) => process.pid));
  return workload.processes.some((process) => !pids.has(process.session));
}
