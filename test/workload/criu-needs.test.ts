import { expect, test } from 'vitest';
import { criuNeeds, goesToJournal } from '../../src/workload/criu-needs.ts';
import type { OutsideSocket, WorkloadFacts } from '../../src/workload/facts.ts';
import { workloadOf } from '../helpers/workload.ts';

const ROOT = { pid: 10, session: 10 };

/** One that has these sockets. */
function connected(outsideSockets: readonly OutsideSocket[]): WorkloadFacts {
  return { ...workloadOf(ROOT), outsideSockets };
}

test('a session whose leader stays behind makes it a shell job', () => {
  expect(criuNeeds(workloadOf(ROOT, { pid: 11, session: 10 }))).toEqual({
    shellJob: false,
    fileLocks: false,
  });
  expect(criuNeeds(workloadOf(ROOT, { pid: 11, session: 11 }))).toEqual({
    shellJob: false,
    fileLocks: false,
  });
  expect(criuNeeds(workloadOf({ pid: 10, session: 9 }))).toEqual({ shellJob: true, fileLocks: false });
});

test('criu is told of locks, and of files without a name that are larger than it would dump, with room to grow', () => {
  const workload = workloadOf(ROOT);
  expect(criuNeeds({ ...workload, hasFileLocks: true })).toEqual({ shellJob: false, fileLocks: true });
  expect(criuNeeds({ ...workload, largestGhostBytes: 512 * 1024 })).not.toHaveProperty('ghostLimitBytes');
  expect(criuNeeds({ ...workload, largestGhostBytes: 1024 ** 2 })).toMatchObject({
    ghostLimitBytes: 2 * 1024 ** 2,
  });
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
  expect(criuNeeds(connected([BUS]))).toEqual({ shellJob: false, fileLocks: false });
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
