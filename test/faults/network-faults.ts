import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { linkName } from '../../src/lab/bridge.ts';
import type { MigrationLab } from '../helpers/migration-lab.ts';
import { type Fault, HIT } from './fault.ts';
import { startSshd, stopSshd } from './sshd.ts';

const run = promisify(execFile);

const HOSTS = ['a', 'b', 'c'];

export const sourceLinkCut: Fault = linkCut('source link cut', ['from']);
export const destinationLinkCut: Fault = linkCut('destination link cut', ['to']);
export const bothLinksCut: Fault = linkCut('both links cut', ['from', 'to']);

function linkCut(title: string, sides: readonly ('from' | 'to')[]): Fault {
  return {
    title,
    async inject(scene) {
      for (const side of sides) await setLink(scene.lab, scene[side], 'down');
      return HIT;
    },
    async heal(scene) {
      for (const side of sides) await setLink(scene.lab, scene[side], 'up');
    },
  };
}

/** Takes a host's network cable out, or puts it in. */
async function setLink(lab: MigrationLab, host: string, state: 'up' | 'down'): Promise<void> {
  await run('ip', ['link', 'set', linkOf(lab, host), state]);
}

/**
 * Makes the way to a host slow: what is sent faster waits up to 0.4 s, and more than that is lost. Lasts until its link is
 * made anew. @see tc-tbf(8)
 * @param rateMbitPerSecond nothing for as fast as it can
 */
export async function limitRate(lab: MigrationLab, host: string, rateMbitPerSecond?: number): Promise<void> {
  const link = linkOf(lab, host);
  // A host that was off meanwhile has a new link without a limit.
  await run('tc', ['qdisc', 'delete', 'dev', link, 'root']).catch(() => undefined);
  if (rateMbitPerSecond === undefined) return;
  const limit = ['rate', `${rateMbitPerSecond}mbit`, 'burst', '256kb', 'latency', '400ms'];
  await run('tc', ['qdisc', 'replace', 'dev', link, 'root', 'tbf', ...limit]);
}

function linkOf(lab: MigrationLab, host: string): string {
  return linkName(lab.lab.name, HOSTS.indexOf(host) + 1);
}

export const sshRefusedBySource: Fault = sshRefused('ssh refused by the source', 'from');
export const sshRefusedByDestination: Fault = sshRefused('ssh refused by the destination', 'to');

function sshRefused(title: string, side: 'from' | 'to'): Fault {
  return {
    title,
    async inject(scene) {
      await stopSshd(scene.lab, scene[side]);
      return HIT;
    },
    async heal(scene) {
      await startSshd(scene.lab, scene[side]);
    },
  };
}

/**
 * TCP says again what got no answer, more and more seldom: after a cut, tests would wait for as long as that lasted. From now
 * on it does so each second, and does not give up sooner for that.
 * @see linux/Documentation/networking/ip-sysctl.rst, tcp_rto_max_ms (since 6.15), tcp_retries2
 */
export async function sayAgainEachSecond(lab: MigrationLab, host: string): Promise<void> {
  await lab.sh(
    host,
    `cd /proc/sys/net/ipv4
    [ ! -f tcp_rto_max_ms ] || { echo 1000 > tcp_rto_max_ms && echo 255 > tcp_retries2; }`,
  );
}
