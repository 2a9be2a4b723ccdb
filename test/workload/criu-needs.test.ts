import { expect, test } from 'vitest';
import { type CriuNeeds, criuNeeds, goesToJournal } from '../../src/workload/criu-needs.ts';
import type { OutsideSocket, WorkloadFacts } from '../../src/workload/facts.ts';
import { workloadOf } from '../helpers/workload.ts';

const ROOT = { pid: 10, session: 10 };

/** Of a workload that needs nothing. */
const NONE: CriuNeeds = {
  shellJob: false,
  loopbackConnections: false,
  fileLocks: true,
  ghostLimitBytes: 64 * 1024 ** 2,
};

/** One that has these sockets. */
function connected(outsideSockets: readonly OutsideSocket[]): WorkloadFacts {
  return { ...workloadOf(ROOT), outsideSockets };
}

test('a session whose leader stays behind makes it a shell job', () => {
  expect(criuNeeds(workloadOf(ROOT, { pid: 11, session: 10 }))).toEqual({ ...NONE, shellJob: false });
  expect(criuNeeds(workloadOf(ROOT, { pid: 11, session: 11 }))).toEqual({ ...NONE, shellJob: false });
  expect(criuNeeds(workloadOf({ pid: 10, session: 9 }))).toEqual({ ...NONE, shellJob: true });
});

test('criu is told of locks but those of a network, and to dump files without a name, with room to grow', () => {
  const workload = workloadOf(ROOT);
  expect(criuNeeds({ ...workload, hasLoopbackConnections: true })).toEqual({
    ...NONE,
    loopbackConnections: true,
  });
  expect(criuNeeds({ ...workload, hasNetworkFiles: true })).toEqual({ ...NONE, fileLocks: false });
  expect(criuNeeds({ ...workload, ghostBytes: 1024 })).toEqual(NONE);
  expect(criuNeeds({ ...workload, ghostBytes: 1024 ** 3 })).toMatchObject({ ghostLimitBytes: 2 * 1024 ** 3 });
});

const OUTPUT: OutsideSocket = { kind: 'u_str', inode: 501, path: '/run/systemd/journal/stdout' };
const MESSAGES: OutsideSocket = { kind: 'u_dgr', inode: 502, path: '/run/systemd/journal/dev-log' };
const BUS: OutsideSocket = { kind: 'u_str', inode: 503, path: '/run/dbus/system_bus_socket' };

test('connections to the journal are made anew, those of the output by criu’s own', () => {
  expect(criuNeeds(connected([OUTPUT, { ...OUTPUT, inode: 500 }, MESSAGES, BUS])).journal).toEqual({
    identifier: 'program',
    streams: [501, 500],
  });
  expect(criuNeeds(connected([MESSAGES])).journal).toEqual({ identifier: 'program', streams: [] });
  expect(criuNeeds(connected([BUS]))).toEqual({ ...NONE, shellJob: false });
});

test('who chose the name of the program gives no line to a shell of root', () => {
  const workload = connected([OUTPUT]);
  const named = (executable: string) => {
    const [process] = workload.processes;
    return criuNeeds({ ...workload, processes: process ? [{ ...process, executable }] : [] }).journal
      ?.identifier;
  };
  expect(named('/srv/x\nsh\n-c\nreboot')).toBe('x_sh_-c_reboot');
  expect(named('/usr/bin/python3.13')).toBe('python3.13');
  expect(named(`/srv/${'x'.repeat(300)}`)).toHaveLength(64);
  expect(named('')).toBe('workload');
});

test.each([
  [OUTPUT, true],
  [MESSAGES, true],
  [BUS, false],
  // A stream to where messages go is none that criu can make anew.
  [{ ...MESSAGES, kind: 'u_str' }, false],
  [{ ...OUTPUT, kind: 'u_seq' }, false],
])('%o goes to the journal: %s', (socket, expected) => {
  expect(goesToJournal(socket)).toBe(expected);
});
