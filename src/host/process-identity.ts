import { readFileSync, readlinkSync } from 'node:fs';

/**
 * When a process of this machine began, in clock ticks since boot: tells it from a later one with the same pid.
 * @returns undefined for one that is not there, or has ended and was not waited for
 * @see proc_pid_stat(5), field 22
 */
export function startTicksOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' ? undefined : Number(fields[18]);
  } catch {
    return undefined;
  }
}

/**
 * The number of the PID namespace of this process: a pid of another container means another process.
 * @see pid_namespaces(7)
 */
export function readPidNamespace(): number {
  return Number(/\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0]);
}
