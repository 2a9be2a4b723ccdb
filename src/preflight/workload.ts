import { commandOn } from '../host/command-on.ts';
import type { Host } from '../host/host.ts';
import type { NetworkPlan } from '../plan/plan.ts';
import { goesToJournal, isStream, MAX_STREAMS } from '../workload/criu-needs.ts';
import type { WorkloadFacts } from '../workload/facts.ts';
import type { Finding } from './finding.ts';

/** What about the workload itself would make the dump fail. Pure. */
export function workloadFindings(
  workload: WorkloadFacts,
  host: Pick<Host, 'name' | 'sshConfigFile'>,
  network: NetworkPlan,
): Finding[] {
  const findings: Finding[] = [];
  if (workload.rootPid === 1) {
    findings.push({
      code: 'IS_INIT',
      host: host.name,
      message: 'The workload is PID 1',
      remedy: 'Name the service, not the init process.',
    });
  }
  for (const process of workload.processes) {
    const { tracer } = process;
    if (!tracer) continue;
    findings.push({
      code: 'TRACED',
      host: host.name,
      message: `Process ${process.pid} (${process.command}) is traced by ${tracer.command} (process ${tracer.pid})`,
      remedy: 'criu seizes a process as a debugger does: end the tracer (strace, gdb), then run again.',
      command: commandOn(host, ['ps', '-fp', String(tracer.pid)]),
    });
  }
  for (const { kind, path, inode } of workload.outsideSockets?.filter((each) => !goesToJournal(each)) ?? []) {
    findings.push({
      code: 'OUTSIDE_SOCKET',
      host: host.name,
      message: `The workload has a unix socket (${kind}, inode ${inode}) whose other end is outside of it: ${path === '*' ? 'one without a name' : path}`,
      remedy:
        'criu can carry no such connection: end it, or let the process at its other end be of the workload.',
      command: commandOn(host, ['ss', '-xp']),
    });
  }
  const streams = workload.outsideSockets?.filter((each) => goesToJournal(each) && isStream(each)) ?? [];
  if (streams.length > MAX_STREAMS) {
    findings.push({
      code: 'TOO_MANY_STREAMS',
      host: host.name,
      message: `The workload has ${streams.length} connections to the journal, and ${MAX_STREAMS} can be carried`,
      remedy: 'Let several of its processes share one, as those do that a unit starts.',
      command: commandOn(host, ['ss', '-xp']),
    });
  }
  const [first] = workload.connections;
  if (first !== undefined && network.connections === 'refuse') {
    findings.push({
      code: 'CONNECTIONS_OPEN',
      host: host.name,
      message: `The workload has ${workload.connections.length} established TCP connection(s), for example ${first}`,
      remedy: 'Set `network: { connections: keep, address: … }` to move them, or `connections: close`.',
    });
  }
  const foreign = network.address
    ? connectionsElsewhere(workload, network.address.cidr)
    : workload.connections;
  if (network.connections === 'keep' && foreign[0] !== undefined) {
    findings.push({
      code: 'CONNECTION_ELSEWHERE',
      host: host.name,
      message: `The connection ${foreign[0]} does not use an address that moves`,
      remedy: network.address
        ? `Only connections of ${network.address.cidr} can be kept: let the service bind to it, or set \`connections: close\`.`
        : 'Name the service address: `network: { address: { cidr: … } }`.',
    });
  }
  return findings;
}

function connectionsElsewhere(workload: WorkloadFacts, cidr: string): string[] {
  const address = cidr.split('/')[0];
  return workload.connections.filter((connection) => {
    const local = connection.split(' > ')[0] ?? '';
    const localAddress = local.slice(0, local.lastIndexOf(':')).replace(/^\[(::ffff:)?(.*)\]$/, '$2');
    return localAddress !== address;
  });
}
