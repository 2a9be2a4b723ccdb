import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MigrationLab } from '../helpers/migration-lab.ts';
import { type Fault, HIT } from './fault.ts';
import { shuffled } from './random.ts';

/** Command lines of what a run has on the hosts. */
const PROCESSES = {
  dump: /^criu dump /,
  restore: /^criu restore /,
  dumpHold: /^\/bin\/sh \/var\/lib\/criu-flow\/[^/]+\/dump\/hold /,
  restoreHold: /^\/bin\/sh \/var\/lib\/criu-flow\/[^/]+\/restore\/hold /,
  rsync: /^rsync /,
  /** From the source to the destination. */
  ssh: /^ssh -F \/var\/lib\/criu-flow\//,
  sshSession: /^sshd-session/,
  supervisor: /^sh -c [^]* criu-flow \/var\/lib\/criu-flow\/[^/]+\/(dump|restore) criu /,
} as const;

export const sourceCriuKilled: Fault = killed('source criu killed', 'from', PROCESSES.dump, [
  'freeze',
  'transfer',
  'restore',
  'commit',
]);

export const destinationCriuKilled: Fault = killed('destination criu killed', 'to', PROCESSES.restore, [
  'restore',
  'commit',
  'release',
]);

export const sourceHoldKilled: Fault = killed('source hold script killed', 'from', PROCESSES.dumpHold, [
  'freeze',
  'transfer',
  'restore',
  'commit',
]);

export const destinationHoldKilled: Fault = killed(
  'destination hold script killed',
  'to',
  PROCESSES.restoreHold,
  ['restore', 'commit'],
);

function killed(title: string, side: 'from' | 'to', pattern: RegExp, phases: Fault['phases'] & {}): Fault {
  return {
    title,
    phases,
    async inject(scene) {
      const count = await killProcesses(scene.lab, scene[side], pattern);
      return count === 0 ? { missed: 'it does not run then' } : HIT;
    },
  };
}

/** All of the run on one host: what the tests ask goes past ssh. */
export const sshConnectionsKilled: Fault = {
  title: 'ssh connections killed',
  async inject({ lab, from, to, random }) {
    const count = await killProcesses(lab, random() < 0.5 ? from : to, PROCESSES.sshSession);
    return count === 0 ? { missed: 'there are none then' } : HIT;
  },
};

/** Milliseconds for which a process is stopped. */
const LONGEST_PAUSE_MS = 6000;

/** One process of the run, be it criu, its hold, its supervisor, rsync or ssh, is stopped and goes on later. */
export const processPaused: Fault = {
  title: 'a process paused',
  async inject({ lab, from, to, random }) {
    const found: number[] = [];
    for (const host of [from, to]) {
      for (const pattern of Object.values(PROCESSES)) {
        found.push(...(await processesOf(lab, host, pattern)));
      }
    }
    // Some of them are over by now.
    const chosen = shuffled(found, random).find((pid) => signal(pid, 'SIGSTOP'));
    if (chosen === undefined) return { missed: 'there is none then' };
    await sleep(random() * LONGEST_PAUSE_MS);
    signal(chosen, 'SIGCONT');
    return HIT;
  },
};

/** Ends the processes of a host whose command lines match. @returns how many */
async function killProcesses(lab: MigrationLab, host: string, pattern: RegExp): Promise<number> {
  const pids = await processesOf(lab, host, pattern);
  return pids.filter((pid) => signal(pid, 'SIGKILL')).length;
}

/** Looks from outside, which is quick: what a fault aims at does not stand still. @returns pids as this machine numbers them */
async function processesOf(lab: MigrationLab, host: string, pattern: RegExp): Promise<readonly number[]> {
  const namespace = readlinkSync(`/proc/${await lab.init(host)}/ns/pid`);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isIn(name, namespace) && pattern.test(commandLine(name)))
    .map(Number);
}

function isIn(pid: string, namespace: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`) === namespace;
  } catch {
    return false;
  }
}

/** A space after each argument. */
function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
