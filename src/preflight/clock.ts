import { commandOn } from '../host/command-on.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import type { Finding } from './finding.ts';

/** How far a clock is ahead of this machine's, in milliseconds: at least, and at most. */
export interface ClockAhead {
  readonly leastMs: number;
  readonly mostMs: number;
}

/** Clocks that are kept by NTP are closer than this. */
const MOST_APART_MS = 2000;

/** Reads the clock of a host. It is read some time between the question and the answer. */
export async function readClock(host: Host): Promise<ClockAhead> {
  const askedAtMs = Date.now();
  const { stdout } = await mustRunScript(host, 'date +%s%3N', [], { what: 'Reading the clock' });
  // A date(1) without milliseconds prints what it does not know.
  const nowMs = Number(stdout);
  if (Number.isNaN(nowMs)) return { leastMs: -Infinity, mostMs: Infinity };
  return { leastMs: nowMs - Date.now(), mostMs: nowMs - askedAtMs };
}

/** What a workload would see of the time of day when it moves. @param other that of another host, by its name; by default this machine's */
export function clockFindings(
  host: Host,
  own: ClockAhead,
  other: { readonly name: string; readonly ahead: ClockAhead } = THIS_MACHINE,
): Finding[] {
  const leastMs = own.leastMs - other.ahead.mostMs;
  const mostMs = own.mostMs - other.ahead.leastMs;
  const apartMs = leastMs > 0 ? leastMs : Math.min(0, mostMs);
  if (Math.abs(apartMs) <= MOST_APART_MS) return [];
  const seconds = (Math.abs(apartMs) / 1000).toFixed(1);
  return [
    {
      code: 'CLOCK_DIFFERS',
      host: host.name,
      message: `The clock of ${host.name} is ${seconds} s ${apartMs > 0 ? 'ahead of' : 'behind'} that of ${other.name}`,
      remedy: 'Let both be kept by NTP: the time of day jumps for what moves.',
      command: commandOn(host, ['timedatectl', 'set-ntp', 'true']),
    },
  ];
}

const THIS_MACHINE = { name: 'this machine', ahead: { leastMs: 0, mostMs: 0 } };
