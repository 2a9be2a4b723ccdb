import { expect, test } from 'vitest';
import type { NetworkPlan } from '../../src/plan/plan.ts';
import { workloadFindings } from '../../src/preflight/workload.ts';
import type { ProcessFacts, WorkloadFacts } from '../../src/workload/facts.ts';

const process: ProcessFacts = {
  pid: 20,
  parentPid: 1,
  processGroup: 20,
  session: 20,
  startTicks: 1,
  threads: [20],
  memoryBytes: 4096,
  command: 'server',
  executable: '/usr/bin/program',
  workingDirectory: '/',
};
const workload: WorkloadFacts = { rootPid: 20, processes: [process], files: [], connections: [] };
const address = { cidr: '10.0.0.9/24', device: 'eth0' };

const messages = (facts: Partial<WorkloadFacts>, network: NetworkPlan): string[] =>
  workloadFindings({ ...workload, ...facts }, { name: 'a' }, network).map((finding) => finding.message);

test('a plain process can be moved', () => {
  expect(messages({}, { connections: 'refuse' })).toEqual([]);
});

test('an init process cannot', () => {
  expect(messages({ rootPid: 1 }, { connections: 'refuse' })).toEqual(['The workload is PID 1']);
});

test('each process that is traced is named with its tracer', () => {
  const traced = { ...process, pid: 21, command: 'worker', tracer: { pid: 99, command: 'strace' } };
  expect(messages({ processes: [process, traced] }, { connections: 'refuse' })).toEqual([
    'Process 21 (worker) is traced by strace (process 99)',
  ]);
});

test('what a process has open that criu cannot carry is named, with its process and file descriptor', () => {
  const facts: Partial<WorkloadFacts> = {
    hasCriuFlow: true,
    outsidePipes: [{ inode: 7, pid: 99 }],
    unknownFiles: [{ pid: 20, fd: 5, what: 'anon_inode:[io_uring]' }],
    devices: [{ pid: 20, fd: 6, what: '195:0 /dev/nvidia0' }],
  };
  expect(messages(facts, { connections: 'refuse' })).toEqual([
    'criu-flow works on a from below process 20: it would freeze itself',
    'The workload reads from, or writes to, a pipe (inode 7) that process 99 outside of it has open, too',
    'Process 20 has anon_inode:[io_uring] open as file descriptor 5, which criu cannot dump',
    'Process 20 has the device 195:0 /dev/nvidia0 open as file descriptor 6, which criu dumps with a plugin for it only',
  ]);
});

test('a unix socket whose other end is outside is refused, but for systemd’s journal', () => {
  const bus = { kind: 'u_str', inode: 7, path: '/run/dbus/system_bus_socket' };
  const output = { kind: 'u_str', inode: 8, path: '/run/systemd/journal/stdout' };
  const pair = { kind: 'u_dgr', inode: 9, path: '*' };
  expect(messages({ outsideSockets: [output, bus, pair] }, { connections: 'refuse' })).toEqual([
    'The workload has a unix socket (u_str, inode 7) whose other end is outside of it: /run/dbus/system_bus_socket',
    'The workload has a unix socket (u_dgr, inode 9) whose other end is outside of it: one without a name',
  ]);
});

test('of connections to the journal a few can be carried', () => {
  const outsideSockets = Array.from({ length: 7 }, (_, index) => ({
    kind: 'u_str',
    inode: index + 1,
    path: '/run/systemd/journal/stdout',
  }));
  expect(messages({ outsideSockets: outsideSockets.slice(1) }, { connections: 'refuse' })).toEqual([]);
  expect(messages({ outsideSockets }, { connections: 'refuse' })).toEqual([
    'The workload has 7 connections to the journal, and 6 can be carried',
  ]);
});

test.each<[string, NetworkPlan, readonly string[], string | undefined]>([
  ['none, and none is asked for', { connections: 'refuse' }, [], undefined],
  [
    'some, and nothing is said about them',
    { connections: 'refuse' },
    ['10.0.0.9:80 > 10.0.0.1:4000'],
    '1 established TCP',
  ],
  ['some that may close', { connections: 'close' }, ['10.0.0.9:80 > 10.0.0.1:4000'], undefined],
  [
    'some of the address that moves',
    { connections: 'keep', address },
    ['10.0.0.9:80 > 10.0.0.1:4000'],
    undefined,
  ],
  [
    'some of it, through a socket for both families',
    { connections: 'keep', address },
    ['[::ffff:10.0.0.9]:80 > [::ffff:10.0.0.1]:4000'],
    undefined,
  ],
  [
    'some of an IPv6 address that moves',
    { connections: 'keep', address: { cidr: 'fd00::9/64', device: 'eth0' } },
    ['[fd00::9]:80 > [fd00::1]:4000'],
    undefined,
  ],
  [
    'some of the host’s own address',
    { connections: 'keep', address },
    ['10.0.0.9:80 > 10.0.0.1:4000', '10.0.0.90:80 > 10.0.0.1:4000'],
    'The connection 10.0.0.90:80 > 10.0.0.1:4000 does not use an address that moves',
  ],
  [
    'some, and no address moves',
    { connections: 'keep' },
    ['10.0.0.9:80 > 10.0.0.1:4000'],
    'does not use an address that moves',
  ],
])('connections: %s', (_, network, connections, expected) => {
  const found = messages({ connections }, network);
  expect(found).toEqual(expected === undefined ? [] : [expect.stringContaining(expected)]);
});
