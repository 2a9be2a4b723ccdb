import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { FlowError } from '../errors/flow-error.ts';

/**
 * In the environment of every process that makes up a host, with the host's directory: they are found by this exact
 * value, also after a crash, and never by a pattern or by a number that was written down.
 */
export const markerVariable = 'CRIU_FLOW_LAB_HOST';

/** Milliseconds that processes may take to be gone after SIGKILL. */
const killTimeoutMs = 10_000;

export interface HostProcess {
  /** As this machine numbers it. */
  readonly pid: number;
  /** Whether it is process 1 of the host. */
  readonly isInit: boolean;
}

/** The processes that make up a host (not those that it runs), or all hosts below a directory. */
export async function hostProcesses(directory: string): Promise<readonly HostProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
      const marker = environment.split('\0').find((each) => each.startsWith(`${markerVariable}=`));
      const place = marker?.slice(markerVariable.length + 1);
      if (place === undefined || !(place === directory || place.startsWith(`${directory}/`))) return [];
      const status = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '');
      // NSpid lists its number in each namespace, the innermost last (proc(5)).
      const numbers = /^NSpid:\s*(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
      return [{ pid: Number(pid), isInit: numbers.length > 1 && numbers.at(-1) === '1' }];
    }),
  );
  return found.flat();
}

/**
 * Ends these processes, and with its process 1 everything that a host runs.
 * @throws FlowError LAB_FAILED when one is still there after ten seconds
 */
export async function killHostProcesses(directory: string): Promise<void> {
  const deadlineMs = performance.now() + killTimeoutMs;
  for (;;) {
    const processes = await hostProcesses(directory);
    if (processes.length === 0) return;
    for (const { pid } of processes) kill(pid);
    if (performance.now() > deadlineMs) {
      const pids = processes.map(({ pid }) => pid).join(',');
      throw new FlowError('LAB_FAILED', `These processes of the lab do not end: ${pids}`, {
        host: 'local',
        hint: 'A process in state D waits for a disk or a file server and ends when that answers.',
        command: `ps -o pid,stat,wchan,args -p ${pids}`,
      });
    }
    await sleep(10);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
