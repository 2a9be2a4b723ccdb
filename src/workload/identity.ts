import { FlowError } from '../errors/flow-error.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import type { WorkloadFacts } from './facts.ts';

/** Prints the state letter and the start time of a process, or nothing. Argument: the pid. */
const STATE_SCRIPT = `
[ ! -r "/proc/$1/stat" ] || { set -- $(sed 's/^.*) //' "/proc/$1/stat"); echo "$1 \${20}"; }
`;

/**
 * `stopped` by a signal; `held` by a tracer, which criu is too, for a moment or for long; a zombie counts as `gone`.
 */
export type WorkloadState = 'running' | 'stopped' | 'held' | 'gone';

/** Whether the root process of the workload is there, is the same one (by its start time), and runs. */
export async function workloadState(
  host: Host,
  pid: number,
  startTicks: number | undefined,
): Promise<WorkloadState> {
  const { stdout } = await mustRunScript(host, STATE_SCRIPT, [String(pid)], {
    what: 'Looking at the workload',
  });
  const [letter, start] = stdout.trim().split(' ');
  if (letter === undefined || letter === '' || letter === 'Z' || letter === 'X') return 'gone';
  if (startTicks !== undefined && Number(start) !== startTicks) return 'gone';
  if (letter === 'T') return 'stopped';
  return letter === 't' ? 'held' : 'running';
}

/** The pids of those processes of the workload that are still there, be they stopped. */
export async function survivors(host: Host, workload: WorkloadFacts): Promise<number[]> {
  const alive: number[] = [];
  for (const { pid, startTicks } of workload.processes) {
    if ((await workloadState(host, pid, startTicks)) !== 'gone') alive.push(pid);
  }
  return alive;
}

/**
 * One that a tracer holds passes: criu says best what is wrong with that.
 * @throws FlowError WORKLOAD_NOT_FOUND when the root process ended or is stopped, or its pid belongs to another process
 *   by now.
 */
export async function requireSameProcess(host: Host, workload: WorkloadFacts): Promise<void> {
  const root = workload.processes[0];
  const state = await workloadState(host, workload.rootPid, root?.startTicks);
  if (state === 'running' || state === 'held') return;
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
