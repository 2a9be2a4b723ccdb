import { toFailureData } from '../events/failure-data.ts';
import type { Health, HostHealth } from '../events/host-health.ts';
import { commandOn } from '../host/command-on.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import { clockFindings, readClock } from './clock.ts';
import { compatibilityFindings } from './compatible.ts';
import { type Finding, worstFirst } from './finding.ts';
import { hostFindings, roundsFindings, trackingFindings } from './host.ts';
import { lazyFindings } from './lazy-pages.ts';

/** All that a host needs to be either end of a move, by whatever transfer, with an address. */
const TOOLS = ['criu', 'nft', 'rsync', 'tar', 'sha256sum', 'perl', 'ss', 'ip', 'arping', 'ssh', 'ssh-keygen'];

/** What a small workload's images need, and a run beside it. */
const LEAST_ROOM_BYTES = 1024 ** 3;

/** Prints the system, the kernel, criu's version, and the bytes that are free, each on a line. */
const FACTS_SCRIPT = `
(. /etc/os-release && echo "$PRETTY_NAME") 2> /dev/null || echo
uname -r
criu --version 2> /dev/null | sed -n 's/^Version: //p' | grep . || echo
df --output=avail -B1 -- /var/lib | tail -n 1
`;

/**
 * Looks whether hosts are ready, and which can receive from which. Changes nothing.
 * @param connected each host, or why it cannot be reached
 */
export async function examine(
  connected: readonly { readonly name: string; readonly host?: Host; readonly error?: unknown }[],
): Promise<Health> {
  const hosts = await Promise.all(
    connected.map(async ({ name, host, error }): Promise<HostHealth> => {
      try {
        if (!host) throw error;
        return await examineHost(host);
      } catch (failure) {
        return { host: name, failure: toFailureData(failure), findings: [] };
      }
    }),
  );
  // Without criu there is nothing to compare.
  const comparable = connected.flatMap(({ host }, index) =>
    host && hosts[index]?.facts?.criuVersion ? [host] : [],
  );
  const pairs = comparable.flatMap((from) =>
    comparable.filter((to) => to !== from).map((to) => [from, to] as const),
  );
  const ways: Health['ways'][number][] = [];
  for (const [from, to] of pairs) {
    const way = { from: from.name, to: to.name };
    try {
      ways.push({ ...way, findings: await compatibilityFindings(from, to) });
    } catch (failure) {
      ways.push({ ...way, findings: [], failure: toFailureData(failure) });
    }
  }
  return { hosts, ways };
}

async function examineHost(host: Host): Promise<HostHealth> {
  const { stdout } = await mustRunScript(host, FACTS_SCRIPT, [], { what: 'Looking at the host' });
  const [system = '', kernel = '', criuVersion = '', free] = stdout.split('\n');
  const clock = await readClock(host);
  const [found, untracked, incomparable, lazy] = await Promise.all([
    hostFindings(host, TOOLS),
    trackingFindings(host),
    roundsFindings(host, false),
    lazyFindings(host, host),
  ]);
  const freeBytes = Number(free);
  const findings: Finding[] = [...found, ...clockFindings(host, clock)];
  // A df(1) that cannot say so is no finding.
  if (free !== '' && freeBytes < LEAST_ROOM_BYTES) {
    findings.push({
      code: 'NO_ROOM',
      host: host.name,
      message: `/var/lib on ${host.name} has ${freeBytes} bytes free; the images of a small workload need ${LEAST_ROOM_BYTES}`,
      remedy: 'Free some space.',
      command: commandOn(host, ['df', '-h', '/var/lib']),
    });
  }
  const isAsked = criuVersion !== '' && found.every(({ code }) => code !== 'NOT_ROOT');
  const comparing = incomparable.length === 0 ? 'by comparing' : 'none';
  return {
    host: host.name,
    facts: {
      ...{ system, kernel, criuVersion, freeBytes },
      tracking: isAsked && untracked.length === 0 ? 'by the kernel' : comparing,
      // How large pipes may be matters where the memory comes from.
      canFetchLater: isAsked && lazy.every(({ code }) => code === 'PIPES_TOO_SMALL'),
    },
    findings: worstFirst(findings),
  };
}
