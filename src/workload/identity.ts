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

/** Prints the pids of those that are there, be they stopped. Arguments: `PID:START`, the start time as proc(5) has it. */
const SURVIVORS_SCRIPT = `
for task; do
  pid=\${task%:*}
  [ -r "/proc/$pid/stat" ] || continue
  set -- $(sed 's/^.*) //' "/proc/$pid/stat" 2> /dev/null)
  case $1 in [ZX] | '') continue ;; esac
  [ "\${20}" != "\${task#*:}" ] || echo "$pid"
done
`;

/** The pids of those tasks that are still there, be they stopped. One round trip. */
export async function survivors(
  host: Host,
  tasks: readonly { readonly pid: number; readonly startTicks: number }[],
): Promise<number[]> {
  const { stdout } = await mustRunScript(
    host,
    SURVIVORS_SCRIPT,
    tasks.map(({ pid, startTicks }) => `${pid}:${startTicks}`),
    { what: 'Looking at the workload' },
  );
  return stdout.split('\n').filter(Boolean).map(Number);
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
