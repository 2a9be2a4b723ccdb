import { expect, test } from 'vitest';
import { criuReason } from '../../src/criu/log.ts';

const HARMLESS =
  "(00.001305) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted";

test.each([
  [
    'a missing file',
    "(00.004112)   3047: Error (criu/files-reg.c:2143): Can't open file srv/static/file on restore: No such file or directory",
    /^Error \(criu\/files-reg.c:2143\): Can't open file srv\/static\/file/,
    /\/srv\/static\/file open and the destination lacks it/,
  ],
  [
    'a file of another size',
    '(00.1) 12: Error (criu/files-reg.c:1): File srv/log has bad size 10 (expect 20)',
    /bad size/,
    /\/srv\/log is 10 bytes on the destination and 20 in the dump/,
  ],
  [
    'a taken pid',
    "(00.1) Error (criu/cr-restore.c:1): Can't fork for 4711: File exists",
    /4711/,
    /PID 4711 is taken/,
  ],
  [
    'a traced process, of which criu only warns',
    '(00.026824) Warn  (compel/src/lib/infect.c:132): Unable to interrupt task: 6087 (Operation not permitted)\n(00.041556) Error (compel/src/lib/infect.c:417): Unable to detach from 6087: No such process',
    /^Warn +\(compel\/src\/lib\/infect.c:132\): Unable to interrupt task: 6087/,
    /Process 6087 is being traced/,
  ],
  [
    'established connections',
    '(00.1) Error (criu/sk-inet.c:1): inet: Connected TCP socket, consider using --tcp-established option.',
    /Connected TCP socket/,
    /connections: keep/,
  ],
])('%s: CRIU’s own line, and what to do', (_, lines, line, hint) => {
  const reason = criuReason(`${HARMLESS}\n${lines}\n(00.2) Error (criu/cr-dump.c:1975): Dumping FAILED.`);
  expect(reason?.line).toMatch(line);
  expect(reason?.hint).toMatch(hint);
});

test('an unknown error is told in CRIU’s words, without a hint', () => {
  expect(criuReason(`${HARMLESS}\n(00.3) pie: 9: Error (x.c:1): something new`)).toEqual({
    line: 'Error (x.c:1): something new',
  });
});

test('a log without a cause has none', () => {
  expect(criuReason(`${HARMLESS}\n(00.2) Error (criu/cr-restore.c:1): Restoring FAILED.`)).toBeUndefined();
});
