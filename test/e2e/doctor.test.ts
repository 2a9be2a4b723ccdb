import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Health } from '../../src/events/host-health.ts';
import { runCli } from '../helpers/cli.ts';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';

describe.skipIf(labSkipReason !== undefined)('doctor', () => {
  let lab: MigrationLab;
  beforeAll(async () => {
    lab = await MigrationLab.up();
  });
  afterAll(() => lab?.down());
  afterEach(() => lab.sh('b', 'rm -f /usr/local/sbin/criu /usr/local/sbin/date'));

  const doctor = async (
    ...hosts: readonly string[]
  ): Promise<{ exitCode: number | null; health: Health }> => {
    const { exitCode, stdout } = await runCli(['doctor', ...hosts, '--json', '--lab', lab.lab.name]);
    return { exitCode, health: JSON.parse(stdout) };
  };
  const standIn = (program: string, script: string): Promise<string> =>
    lab.sh('b', 'printf %s "$2" > "/usr/local/sbin/$1"; chmod 755 "/usr/local/sbin/$1"', program, script);

  test('hosts that are ready, and can receive from each other', async () => {
    const { exitCode, health } = await doctor('a', 'b', 'c');
    expect(health.hosts.map(({ host, findings }) => [host, findings])).toEqual([
      ['a', []],
      ['b', []],
      ['c', []],
    ]);
    expect(health.ways).toHaveLength(6);
    expect(health.ways.flatMap(({ findings }) => findings)).toEqual([]);
    expect(exitCode).toBe(0);
    const text = await runCli(['doctor', 'a', 'b', '--lab', lab.lab.name]);
    expect(text.stdout).toMatch(/^a {2}ready\n/);
    expect(text.stdout).toContain('criu and the processor of each fit those of each other one');
  });

  const BROKEN: readonly (readonly [string, string, () => Promise<string>, () => Promise<string>])[] = [
    [
      'no criu',
      'TOOLS_MISSING',
      () => lab.sh('b', 'mv /usr/sbin/criu /usr/sbin/criu.away'),
      () => lab.sh('b', 'mv /usr/sbin/criu.away /usr/sbin/criu'),
    ],
    [
      'a criu that is too old',
      'CRIU_TOO_OLD',
      () =>
        standIn(
          'criu',
          '#!/bin/sh\n[ "$1" != --version ] || { echo "Version: 3.15"; exit; }\nexec /usr/sbin/criu "$@"\n',
        ),
      () => lab.sh('b', ':'),
    ],
    [
      'no rsync',
      'TOOLS_MISSING',
      () => lab.sh('b', 'mv /usr/bin/rsync /usr/bin/rsync.away'),
      () => lab.sh('b', 'mv /usr/bin/rsync.away /usr/bin/rsync'),
    ],
    [
      'no room',
      'NO_ROOM',
      () => lab.sh('b', 'mount -t tmpfs -o size=64M none /var/lib'),
      () => lab.sh('b', 'umount /var/lib'),
    ],
    [
      'a wrong clock',
      'CLOCK_DIFFERS',
      () => standIn('date', '#!/bin/sh\nexec /bin/date -d "+3 minutes" "$@"\n'),
      () => lab.sh('b', ':'),
    ],
  ];

  test.each(BROKEN)('%s: it says so, and what to do, of that host only', async (_, code, make, mend) => {
    await make();
    try {
      const { exitCode, health } = await doctor('a', 'b');
      expect(exitCode).toBe(4);
      const [good, bad] = health.hosts;
      expect(good?.findings).toEqual([]);
      expect(bad?.findings).toEqual([
        expect.objectContaining({
          code,
          host: 'b',
          remedy: expect.any(String),
          command: expect.stringMatching(/^ssh .*b/),
        }),
      ]);
    } finally {
      await mend();
    }
  });

  test('a host that cannot be reached hides nothing of the others', async () => {
    const { exitCode, health } = await doctor('a', 'nowhere');
    expect(exitCode).toBe(4);
    expect(health.hosts).toMatchObject([
      { host: 'a', findings: [] },
      { host: 'nowhere', failure: { code: 'HOST_UNREACHABLE' } },
    ]);
    expect(health.ways).toEqual([]);
  });
});
