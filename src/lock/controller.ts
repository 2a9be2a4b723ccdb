import { readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';

/** The process that drives a run, as others may look for it. */
export interface Controller {
  readonly machine: string;
  readonly user: string;
  readonly pid: number;
  /** Clock ticks since boot (proc(5), field 22 of stat): tells a process from a later one with the same pid. */
  readonly startTicks: number;
  readonly bootId: string;
}

export function thisController(): Controller {
  return {
    machine: hostname(),
    user: userName(),
    pid: process.pid,
    startTicks: startOf(process.pid) ?? 0,
    bootId: bootId(),
  };
}

/** `elsewhere` when it is, or was, on another machine: only there can somebody look. */
export function stateOf(controller: Controller): 'alive' | 'ended' | 'elsewhere' {
  if (controller.bootId !== bootId()) return controller.machine === hostname() ? 'ended' : 'elsewhere';
  return startOf(controller.pid) === controller.startTicks ? 'alive' : 'ended';
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function startOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' ? undefined : Number(fields[18]);
  } catch {
    return undefined;
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user id without a name, as containers have.
    return String(process.getuid?.());
  }
}
