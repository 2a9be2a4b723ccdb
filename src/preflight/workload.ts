import { commandOn } from '../host/command-on.ts';
import type { Host } from '../host/host.ts';
import type { NetworkPlan } from '../plan/plan.ts';
import { goesToJournal, isStream, MAX_STREAMS } from '../workload/criu-needs.ts';
import type { OpenThing, WorkloadFacts } from '../workload/facts.ts';
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
  if (workload.hasCriuFlow) {
    findings.push({
      code: 'HAS_CRIU_FLOW',
      host: host.name,
      message: `criu-flow works on ${host.name} from below process ${workload.rootPid}: it would freeze itself`,
      remedy: 'Name the service itself, not what it and your session descend from.',
      command: commandOn(host, ['ps', '-f', '--forest', '-e']),
    });
  }
  for (const { pid, inode } of workload.outsidePipes ?? []) {
    findings.push({
      code: 'OUTSIDE_PIPE',
      host: host.name,
      message: `The workload reads from, or writes to, a pipe (inode ${inode}) that process ${pid} outside of it has open, too`,
      remedy:
        'Let that process be of the workload, or let the workload write to a file or to the journal instead.',
      command: commandOn(host, ['ps', '-fp', String(pid)]),
    });
  }
  for (const { pid, fd, what, more } of oneOfEach(workload.unknownFiles)) {
    findings.push({
      code: 'UNKNOWN_FILE',
      host: host.name,
      message: `Process ${pid} has ${what} open as file descriptor ${fd}${more}, which criu cannot dump`,
      remedy: 'Configure the service to do without, if it can.',
      command: commandOn(host, ['ls', '-l', `/proc/${pid}/fd/${fd}`]),
    });
  }
  for (const { pid, fd, what, more } of oneOfEach(workload.devices)) {
    findings.push({
      code: 'DEVICE_OPEN',
      host: host.name,
      message: `Process ${pid} has the device ${what} open as file descriptor ${fd}${more}, which criu dumps with a plugin for it only`,
      remedy: 'Close it, or install the plugin of criu for that device on both hosts, and allow DEVICE_OPEN.',
      command: commandOn(host, ['ls', '-l', `/proc/${pid}/fd/${fd}`]),
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

/** The first of each kind, and how many there are besides. */
function oneOfEach(things: readonly OpenThing[] = []): readonly (OpenThing & { readonly more: string })[] {
  const kinds = new Map<string, OpenThing[]>();
  for (const thing of things) kinds.set(thing.what, [...(kinds.get(thing.what) ?? []), thing]);
  return [...kinds.values()].flatMap(([first, ...rest]) =>
    first ? [{ ...first, more: rest.length === 0 ? '' : ` (and ${rest.length} more of its kind)` }] : [],
  );
}

function connectionsElsewhere(workload: WorkloadFacts, cidr: string): string[] {
  const address = cidr.split('/')[0];
  return workload.connections.filter((connection) => {
    const local = connection.split(' > ')[0] ?? '';
    const localAddress = local.slice(0, local.lastIndexOf(':')).replace(/^\[(::ffff:)?(.*)\]$/, '$2');
    return localAddress !== address;
  });
}
