import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { MigrationLab } from '../helpers/migration-lab.ts';
import type { Controller } from './controller.ts';
import type { Side } from './fault.ts';

const run = promisify(execFile);

/** Milliseconds until all that waits for something has seen that it has ended. */
const SETTLED_MS = 30_000;

/** What both hosts have. */
export type Traces = Readonly<Record<Side, string>>;

/** @returns what both have once nothing changes any more */
export async function settledTraces(lab: MigrationLab): Promise<Traces> {
  const look = async (): Promise<Traces> => ({ a: await lab.traces('a'), b: await lab.traces('b') });
  let traces = await look();
  for (const deadline = performance.now() + SETTLED_MS; performance.now() < deadline;) {
    await sleep(100);
    const now = await look();
    if (now.a === traces.a && now.b === traces.b) return now;
    traces = now;
  }
  return traces;
}

/** The hosts with a copy of the service, be it stopped: `a`, `b`, or one of them twice. */
export async function copies(lab: MigrationLab): Promise<readonly Side[]> {
  const on: Side[] = [];
  for (const host of ['a', 'b'] as const) {
    const count = await lab.sh(host, "ps -e -o args= | grep -c '^python3 .*/tcp-service/server.py' || :");
    for (let each = 0; each < Number(count); each++) on.push(host);
  }
  return on;
}

/** The client has its connection and all its answers; what the service wrote has no hole and no repeat. */
export async function lookAtService(lab: MigrationLab, host: Side): Promise<readonly string[]> {
  const violations: string[] = [];
  try {
    const { connected, lost, duplicated, forgotten, error } = await lab.untilAnswered(20);
    if (!connected || lost + duplicated + forgotten > 0 || error !== null) {
      violations.push(`client: ${JSON.stringify({ connected, lost, duplicated, forgotten, error })}`);
    }
  } catch (error) {
    violations.push(String(error));
  }
  const gaps = await lab.sh(host, `awk '$1 != NR { print NR ": " $0 }' /srv/tcp/requests.log | head -n 3`);
  if (gaps !== '') violations.push(`requests.log has a hole or a repeat: ${gaps}`);
  return violations;
}

/**
 * What a run has left behind: on this machine anything, on the hosts whatever they did not have before. Of a service that
 * has moved its address and its files may be new, or gone.
 */
export async function leftBehind(
  lab: MigrationLab,
  controller: Controller,
  before: Traces,
  hasMoved: boolean,
): Promise<readonly string[]> {
  const withoutService = (traces: string): string =>
    traces
      .split('\n')
      .filter((line) => !line.includes(` ${lab.address}/`) && !FILES.has(line))
      .join('\n');
  const view = hasMoved ? withoutService : (traces: string): string => traces;
  const violations: string[] = [];
  const deadline = performance.now() + SETTLED_MS;
  for (const host of ['a', 'b'] as const) {
    let now = await lab.traces(host);
    while (view(now) !== view(before[host]) && performance.now() < deadline) {
      await endHalfConnections(lab, host);
      await sleep(200);
      now = await lab.traces(host);
    }
    const changes = difference(view(before[host]), view(now));
    if (changes !== '') violations.push(`left on ${host}:\n${changes}`);
  }
  let here = controller.left();
  while (here.length > 0 && performance.now() < deadline) {
    await sleep(200);
    here = controller.left();
  }
  return here.length === 0 ? violations : [...violations, `left on this machine:\n${here.join('\n')}`];
}

/** Of the service: what moves with it, and stays where it was. */
const FILES: ReadonlySet<string> = new Set(['/srv/tcp', '/srv/tcp/pid', '/srv/tcp/requests.log']);

function difference(before: string, now: string): string {
  const [old, current] = [before.split('\n'), now.split('\n')];
  return [
    ...old.filter((line) => !current.includes(line)).map((line) => `- ${line}`),
    ...current.filter((line) => !old.includes(line)).map((line) => `+ ${line}`),
  ].join('\n');
}

/**
 * Ends those connections to a host's sshd whose other end knows nothing of them any more, since it ended while a link was
 * cut: TCP itself takes up to two hours to ask, and sshd waits for that.
 * @see tcp(7), tcp_keepalive_time
 */
async function endHalfConnections(lab: MigrationLab, host: Side): Promise<void> {
  const inside = await lab.sh(host, 'ss -H -O -n -t state established sport = :22');
  const others = await Promise.all([
    run('ss', ['-H', '-O', '-n', '-t', 'state', 'established', 'dport = :22']).then(({ stdout }) => stdout),
    lab.sh(host === 'a' ? 'b' : 'a', 'ss -H -O -n -t state established dport = :22'),
  ]);
  const known = new Set(
    others
      .join('\n')
      .split('\n')
      .map((line) => endsOf(line).join(' ')),
  );
  for (const line of inside.split('\n').filter(Boolean)) {
    const [local, peer] = endsOf(line);
    if (!known.has(`${peer} ${local}`)) await lab.sh(host, 'ss -H -K -n -t src "$1" dst "$2"', local, peer);
  }
}

/** Of a line of ss(8): this end, the other end. */
function endsOf(line: string): readonly [local: string, peer: string] {
  const [, , local = '', peer = ''] = line.trim().split(/\s+/);
  return [local, peer];
}
