import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RunSummary } from '../../src/events/event.ts';
import type { ErrorCode } from '../../src/errors/flow-error.ts';
import type { FindingCode } from '../../src/preflight/finding.ts';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';

/** A condition that makes a move fail, for real, and how it is put right. */
interface Condition {
  readonly code: FindingCode;
  /** Starts the workload on a, when it is not a plain `sleep`, and prints its pid. */
  readonly start?: string;
  /** On which host, and what is done there once the workload runs. `$1` is its pid. */
  readonly make?: readonly ['a' | 'b', string];
  readonly mend?: readonly ['a' | 'b', string];
  readonly network?: string;
  readonly transfer?: string;
  /** With which error a run that goes past it fails. @default RESTORE_FAILED */
  readonly failure?: ErrorCode;
  /** What a run that goes past it comes to. @default rolled-back */
  readonly forced?: RunSummary['outcome'];
}

const SLEEP = 'setsid sleep 4711 < /dev/null > /dev/null 2>&1 & echo $!';

/** Two processes, each of a session of its own, with an end each of what that Python makes as its standard output. */
const twoThatShare = (ends: string): string => `python3 -c '
import os, socket
null = os.open("/dev/null", os.O_RDWR)
def sleep(kept):
    os.setsid()
    for fd in range(3):
        os.dup2(null, fd)
    os.dup2(kept, 1)
    os.execvp("sleep", ["sleep", "4711"])
one, other = ${ends}
if os.fork() == 0:
    sleep(other)
pid = os.fork()
if pid == 0:
    sleep(one)
print(pid)
'`;

const CONDITIONS: readonly Condition[] = [
  {
    code: 'TRACED',
    failure: 'DUMP_FAILED',
    make: [
      'a',
      'setsid strace -o /dev/null -p "$1" < /dev/null > /dev/null 2>&1 & until ! grep -q "TracerPid:.0$" "/proc/$1/status"; do :; done',
    ],
    mend: ['a', 'kill $(pidof strace)'],
  },
  {
    code: 'PID_TAKEN',
    make: [
      'b',
      'echo $(($1 - 1)) > /proc/sys/kernel/ns_last_pid; setsid sleep 4711 < /dev/null > /dev/null 2>&1 & [ "$!" = "$1" ]',
    ],
    mend: ['b', 'kill "$1"'],
  },
  {
    code: 'FILE_DIFFERS',
    start: `echo text > /srv/only-here; exec 3<> /srv/only-here; ${SLEEP}`,
  },
  {
    code: 'DIRECTORY_MISSING',
    start: `mkdir -p /srv/only-here && cd /srv/only-here && ${SLEEP}`,
  },
  {
    code: 'PROGRAM_DIFFERS',
    start: `cp "$(command -v sleep)" /srv/own-sleep; ${SLEEP.replace('sleep', '/srv/own-sleep')}`,
  },
  {
    code: 'OUTSIDE_SOCKET',
    failure: 'DUMP_FAILED',
    start: twoThatShare('[each.detach() for each in socket.socketpair()]'),
  },
  {
    code: 'OUTSIDE_PIPE',
    start: twoThatShare('os.pipe()'),
    forced: 'done',
  },
  {
    code: 'UNKNOWN_FILE',
    failure: 'DUMP_FAILED',
    start: `setsid perl -e '
      my $fd = syscall 323, 0;
      $fd >= 0 or die "userfaultfd: $!";
      open STDOUT, ">", "/dev/null"; open STDERR, ">", "/dev/null"; open STDIN, "<", "/dev/null";
      exec "sleep", "4711"' < /dev/null > /dev/null 2>&1 & echo $!`,
  },
  {
    code: 'DEVICE_OPEN',
    start: `mknod /srv/loop-control c 10 237; exec 3< /srv/loop-control; ${SLEEP}`,
    failure: 'DUMP_FAILED',
  },
  {
    code: 'NO_DEVICE',
    failure: 'COMMAND_FAILED',
    network: 'connections: keep, address: { cidr: 192.0.2.77/24, device: nosuch0 }',
  },
  {
    code: 'TOOLS_MISSING',
    failure: 'COMMAND_FAILED',
    make: ['b', 'mv /usr/bin/sha256sum /usr/bin/sha256sum.away'],
    mend: ['b', 'mv /usr/bin/sha256sum.away /usr/bin/sha256sum'],
  },
  {
    code: 'NO_SHARED_DIRECTORY',
    failure: 'NOT_SHARED',
    transfer: '{ uses: transfer/shared, with: { directory: /srv/nowhere } }',
    make: ['a', 'mkdir -p -m 700 /srv/nowhere'],
  },
];

describe.skipIf(labSkipReason !== undefined)(
  'preflight sees, and a run that goes past it fails safely',
  () => {
    let lab: MigrationLab;
    beforeAll(async () => {
      lab = await MigrationLab.up();
    });
    afterAll(() => lab?.down());
    afterEach(() => lab.reset());

    test.each(CONDITIONS.map((condition) => [condition.code, condition] as const))(
      '%s',
      async (
        code,
        {
          start = SLEEP,
          make,
          mend,
          network,
          transfer = '{ uses: transfer/rsync }',
          forced = 'rolled-back',
          failure = 'RESTORE_FAILED',
        },
      ) => {
        const pid = Number((await lab.sh('a', start)).split('\n').at(-1));
        const began = await lab.processStart('a', pid);
        expect(began).not.toBe('');
        if (make) await lab.sh(make[0], make[1], String(pid));
        try {
          const run = (preflight: string): Promise<RunSummary> =>
            lab.run({
              workload: `pid: ${pid}`,
              ...(network !== undefined && { network }),
              steps: `- ${preflight}\n- uses: dump\n- ${transfer}\n- uses: restore`,
            });
          const refused = await run('uses: preflight');
          expect(refused).toMatchObject({
            ...{ outcome: 'refused', exitCode: 4, workloadIsOn: 'source' },
            failure: { code: 'PREFLIGHT_REFUSED', message: expect.stringContaining(`[${code}]`) },
          });
          expect(await lab.processStart('a', pid)).toBe(began);
          const past = await run(`{ uses: preflight, with: { allow: [${code}] } }`);
          expect(past.warnings.join('\n')).toContain(`${code} is allowed: `);
          expect(past, JSON.stringify(past.failure)).toMatchObject({ outcome: forced, undoFailures: [] });
          if (forced !== 'done') expect(past.failure?.code).toBe(failure);
          const isMoved = past.outcome === 'done';
          expect(past.workloadIsOn).toBe(isMoved ? 'destination' : 'source');
          if (isMoved) expect(await lab.processStart('b', pid)).not.toBe('');
          expect(await lab.processStart('a', pid)).toBe(isMoved ? '' : began);
        } finally {
          if (mend) await lab.sh(mend[0], mend[1], String(pid));
        }
      },
    );

    test('what contains criu-flow’s own connection is refused, whatever is allowed', async () => {
      const pid = Number(await lab.sh('a', 'pgrep -o sshd'));
      const all = 'allow: [TRACED, PID_TAKEN, PROGRAM_DIFFERS, FILE_DIFFERS, OUTSIDE_SOCKET, OUTSIDE_PIPE]';
      const summary = await lab.run({
        workload: `pid: ${pid}`,
        steps: `- { uses: preflight, with: { ${all} } }\n- uses: dump\n- uses: transfer/rsync\n- uses: restore`,
      });
      expect(summary).toMatchObject({ outcome: 'refused', workloadIsOn: 'source' });
      expect(`${summary.failure?.message}\n${summary.failure?.hint}`).toContain('[HAS_CRIU_FLOW]');
    });

    test('locks of files, and large files without a name, move with the workload', async () => {
      const program = `
import fcntl, os, time
lock = open("/srv/own/lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
ranges = open("/srv/own/range", "w+")
fcntl.lockf(ranges, fcntl.LOCK_EX)
ghost = open("/srv/own/ghost", "w+b")
ghost.write(os.urandom(1 << 20) * 5)
ghost.flush()
os.unlink("/srv/own/ghost")
open("/srv/own/ready", "w").close()
time.sleep(4711)`;
      const start = `mkdir -p /srv/own && cd /srv/own && { setsid python3 -c "$1" < /dev/null > /dev/null 2>&1 & echo $!; }
      until [ -e /srv/own/ready ]; do sleep 0.02; done`;
      const pid = Number(await lab.sh('a', start, program));
      const ghostOf = 'sha256sum < "$(find /proc/$1/fd -lname "*(deleted)")"';
      const before = await lab.sh('a', ghostOf, String(pid));
      const summary = await lab.run({
        workload: `pid: ${pid}`,
        files: ['/srv/own'],
        steps: '- uses: preflight\n- uses: dump\n- uses: transfer/rsync\n- uses: restore',
      });
      expect(summary, JSON.stringify(summary.failure)).toMatchObject({ outcome: 'done' });
      expect(await lab.sh('b', ghostOf, String(pid))).toBe(before);
      const tryLock = `
import fcntl, sys
file = open("/srv/own/" + sys.argv[1], "r+")
try:
    (fcntl.flock if sys.argv[1] == "lock" else fcntl.lockf)(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    print("free")
except OSError:
    print("held")`;
      for (const file of ['lock', 'range'])
        expect(await lab.sh('b', 'python3 -c "$1" "$2"', tryLock, file)).toBe('held');
      await lab.sh('b', 'kill -KILL "$1"', String(pid));
    });
  },
);
