import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RunSummary } from '../../src/events/event.ts';
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
  /** What a run that goes past it comes to. @default rolled-back */
  readonly forced?: RunSummary['outcome'];
}

const SLEEP = 'setsid sleep 4711 < /dev/null > /dev/null 2>&1 & echo $!';

const CONDITIONS: readonly Condition[] = [
  {
    code: 'TRACED',
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
    start: `python3 -c '
import os, socket
null = os.open("/dev/null", os.O_RDWR)
def sleep(kept):
    os.setsid()
    for fd in range(3):
        os.dup2(null, fd)
    os.set_inheritable(kept.fileno(), True)
    os.execvp("sleep", ["sleep", "4711"])
one, other = socket.socketpair()
if os.fork() == 0:
    sleep(other)
pid = os.fork()
if pid == 0:
    sleep(one)
print(pid)
'`,
  },
  {
    code: 'NO_DEVICE',
    network: 'connections: keep, address: { cidr: 192.0.2.77/24, device: nosuch0 }',
  },
  {
    code: 'TOOLS_MISSING',
    make: ['b', 'mv /usr/bin/sha256sum /usr/bin/sha256sum.away'],
    mend: ['b', 'mv /usr/bin/sha256sum.away /usr/bin/sha256sum'],
  },
  {
    code: 'NO_SHARED_DIRECTORY',
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
      async (code, { start = SLEEP, make, mend, network, transfer = '{ uses: transfer/rsync }', forced }) => {
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
          expect(past, JSON.stringify(past.failure)).toMatchObject({
            ...{ outcome: forced ?? 'rolled-back', workloadIsOn: 'source', undoFailures: [] },
          });
          expect(past.warnings.join('\n')).toContain(`${code} is allowed: `);
          expect(await lab.processStart('a', pid)).toBe(began);
        } finally {
          if (mend) await lab.sh(mend[0], mend[1], String(pid));
        }
      },
    );
  },
);
