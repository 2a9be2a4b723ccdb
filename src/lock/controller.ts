import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { readPidNamespace, startTicksOf } from '../host/process-identity.ts';

/** The process that drives a run, as others may look for it. */
export interface Controller {
  readonly machine: string;
  readonly user: string;
  readonly pid: number;
  /** Clock ticks since boot (proc(5), field 22 of stat): tells a process from a later one with the same pid. */
  readonly startTicks: number;
  readonly bootId: string;
  /** In which its pid means it. */
  readonly pidNamespace: number;
  /** Tells its machine from others of the same name, in each of its boots. Empty for one that has no machine-id(5). */
  readonly machineId: string;
}

export function thisController(): Controller {
  return {
    machine: hostname(),
    user: userName(),
    pid: process.pid,
    startTicks: startTicksOf(process.pid) ?? 0,
    bootId: readBootId(),
    pidNamespace: readPidNamespace(),
    machineId: readMachineId(),
  };
}

/** What another machine wrote is believed only as far as it has the form of what we write. */
export function parseController(value: unknown): Controller | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = value as Readonly<Record<keyof Controller, unknown>>;
  const { machine, user, pid, startTicks, bootId, pidNamespace, machineId } = fields;
  if (typeof machine !== 'string' || typeof user !== 'string') return undefined;
  if (typeof bootId !== 'string' || typeof machineId !== 'string') return undefined;
  if (typeof pid !== 'number' || typeof startTicks !== 'number') return undefined;
  if (typeof pidNamespace !== 'number') return undefined;
  return { machine, user, pid, startTicks, bootId, pidNamespace, machineId };
}

/** `elsewhere` when it is, or was, on another machine or in another container: only there can somebody look. */
export function stateOf(controller: Controller): 'alive' | 'ended' | 'elsewhere' {
  if (controller.bootId !== readBootId()) {
    const id = readMachineId();
    const isHere = id !== '' && controller.machineId === id && controller.machine === hostname();
    return isHere ? 'ended' : 'elsewhere';
  }
  if (controller.pidNamespace !== readPidNamespace()) return 'elsewhere';
  return startTicksOf(controller.pid) === controller.startTicks ? 'alive' : 'ended';
}

/** For people: who that is, and whether it still works. */
export function describeHolder(controller: Controller | undefined): string {
  if (!controller) return 'nobody knows who';
  const who = `process ${controller.pid} of ${controller.user} on ${controller.machine}`;
  switch (stateOf(controller)) {
    case 'alive':
      return `${who}, which is at work`;
    case 'ended':
      return `${who}, which has ended`;
    case 'elsewhere':
      return `${who}${unsure(controller)}`;
  }
}

function unsure({ machine, bootId }: Controller): string {
  if (bootId === readBootId()) return ', in another PID namespace; look there whether it is at work';
  return machine === hostname()
    ? ', before its last boot, or another machine of that name: whether it is at work is not sure'
    : '; look there whether it is at work';
}

function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** It is not to be shown to others as it is: machine-id(5). */
function readMachineId(): string {
  try {
    const id = readFileSync('/etc/machine-id', 'utf8').trim();
    return id === '' ? '' : createHmac('sha256', id).update('criu-flow').digest('hex').slice(0, 16);
  } catch {
    return '';
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
