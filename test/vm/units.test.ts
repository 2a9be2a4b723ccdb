import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RunSummary } from '../../src/events/event.ts';
import { settleIn } from '../faults/power-faults.ts';
import { machinesSkipReason, MigrationLab } from '../helpers/migration-lab.ts';

/** Users, their groups and a profile that both hosts know, as a fleet has them. */
const MAKE_USERS = `
for user in alice:2001 bob:2002; do
  groupadd --gid "\${user#*:}" "\${user%:*}"
  useradd --uid "\${user#*:}" --gid "\${user#*:}" --groups audio --no-create-home "\${user%:*}"
done
cat > /etc/apparmor.d/criu-flow-test << 'EOF'
profile criu-flow-test flags=(attach_disconnected) {
  capability,
  file,
  network,
  unix,
  signal,
  ptrace,
  deny /etc/shadow rwklx,
}
EOF
apparmor_parser --replace /etc/apparmor.d/criu-flow-test
`;

/** Writes a unit, and starts it. Arguments: its name, then what is below `[Service]`, a line each. */
const START_UNIT = `
unit=/run/systemd/system/$1
printf '%s\\n' '[Service]' > "$unit"
name=$1
shift
printf '%s\\n' "$@" >> "$unit"
systemctl daemon-reload
systemctl start "$name"
`;

/** What a process is allowed to, and by what it is limited, but for the name of its unit. Argument: the pid. */
const STANDING = `
grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp):' "/proc/$1/status"
cat "/proc/$1/attr/apparmor/current" "/proc/$1/oom_score_adj"
cgroup=/sys/fs/cgroup$(sed 's/^0:://' "/proc/$1/cgroup")
for file in memory.max memory.high pids.max cpu.max cpu.weight; do echo "$file $(cat "$cgroup/$file")"; done
`;

const LIMITS = ['MemoryMax=96M', 'TasksMax=60', 'CPUQuota=80%', 'CPUWeight=50'];

/** Processes of three users that count aloud: to the journal, as units do by default, by a connection of its own, and by syslog(3). */
const MIXED = `#!/bin/sh
count() {
  user=$1
  shift
  exec "$@" setpriv --reuid "$user" --regid "$user" --init-groups \\
    sh -c 'while :; do n=$((n + 1)); echo "$1 $n"; sleep 0.5; done' sh "$user"
}
syslog='import syslog, time
for n in range(1, 10**6):
    syslog.syslog(f"root {n}")
    time.sleep(0.5)'
python3 -c "$syslog" &
count alice &
count bob systemd-cat --identifier=bob &
wait
`;

describe.skipIf(machinesSkipReason !== undefined)('units of systemd', () => {
  let lab: MigrationLab;
  beforeAll(async () => {
    lab = await MigrationLab.up({ driver: 'vm' });
    for (const host of ['a', 'b'] as const) {
      await settleIn(lab, host);
      await lab.sh(host, MAKE_USERS);
    }
  });
  afterAll(() => lab.down());
  afterEach(async () => {
    for (const host of ['a', 'b'])
      await lab.sh(
        host,
        `systemctl stop video.service video.scope mixed@1.service 'mixed\\x401.scope' 2> /dev/null; systemctl reset-failed; rm -f /run/systemd/system/*.service; systemctl daemon-reload`,
      );
    await lab.reset();
  });

  const cgroupOf = (host: string, pid: number): Promise<string> =>
    lab.sh(host, `sed 's/^0:://' "/proc/$1/cgroup"`, String(pid));

  async function startVideo(...more: readonly string[]): Promise<number> {
    await lab.sh(
      'a',
      'install -d -o alice -g alice /srv/tcp; ip address replace "$1" dev eth0',
      lab.lab.serviceAddress,
    );
    const program = `/usr/bin/python3 /shared/examples/tcp-service/server.py ${lab.address} 7000 /srv/tcp 8`;
    const service = ['User=alice', 'NoNewPrivileges=yes', 'OOMScoreAdjust=-100', ...LIMITS, ...more];
    await lab.sh('a', START_UNIT, 'video.service', `ExecStart=${program}`, ...service);
    await lab.sh('a', 'until ss -Hltn sport = 7000 | grep -q .; do sleep 0.2; done');
    await lab.startClient();
    return Number(await lab.sh('a', 'systemctl show --property MainPID --value video.service'));
  }

  const moveVideo = (from: 'a' | 'b', to: 'a' | 'b'): Promise<RunSummary> =>
    lab.run({
      workload: 'unit: video.service',
      network: `connections: keep, address: { cidr: ${lab.lab.serviceAddress} }`,
      files: ['/srv/tcp'],
      steps: '- uses: preflight\n- uses: dump\n- uses: transfer/rsync\n- uses: restore',
      from,
      to,
    });

  test('the service of a user, confined by AppArmor and limited by its cgroup, is so on the destination, and back', async () => {
    const pid = await startVideo('AppArmorProfile=criu-flow-test');
    const before = await lab.sh('a', STANDING, String(pid));
    expect(before).toContain('Uid:\t2001\t2001\t2001\t2001');
    expect(before).toContain('criu-flow-test (enforce)');
    expect(before).toContain('memory.max 100663296');
    for (const [from, to] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      const summary = await moveVideo(from, to);
      expect(summary, JSON.stringify(summary.failure)).toMatchObject({ exitCode: 0, warnings: [] });
      expect(await cgroupOf(to, pid)).toBe('/system.slice/video.scope');
      expect(await lab.sh(to, STANDING, String(pid))).toBe(before);
      expect(await lab.untilAnswered(5)).toMatchObject({
        connected: true,
        lost: 0,
        duplicated: 0,
        forgotten: 0,
      });
      // Of criu-flow's own processes none is left in it.
      expect(await lab.sh(to, 'cat /sys/fs/cgroup/system.slice/video.scope/cgroup.procs')).toBe(String(pid));
    }
    // It is one of systemd's units there: who stops that, stops it.
    await lab.sh('a', 'systemctl stop video.scope');
    expect(await lab.processStart('a', pid)).toBe('');
  });

  test('processes of several users in one unit go on to write to the journal', async () => {
    await lab.sh('a', 'printf %s "$1" > /srv/mixed; chmod 755 /srv/mixed', MIXED);
    await lab.sh('b', 'mkdir -p /srv');
    await lab.sh(
      'a',
      START_UNIT,
      'mixed@1.service',
      'ExecStart=/srv/mixed',
      'MemoryMax=64M',
      'TasksMax=infinity',
    );
    const pid = Number(await lab.sh('a', 'systemctl show --property MainPID --value mixed@1.service'));
    const said = (host: string, unit: string, user: string): Promise<string> =>
      lab.sh(
        host,
        `until journalctl --quiet --output cat --unit "$1" | grep -q "^$2 "; do sleep 0.5; done
        journalctl --quiet --output cat --unit "$1" | grep "^$2 " | sed 's/.* //'`,
        unit,
        user,
      );
    for (const user of ['alice', 'bob', 'root']) await said('a', 'mixed@1.service', user);
    const pids = (
      await lab.sh('a', 'cat /sys/fs/cgroup/system.slice/system-mixed.slice/mixed@1.service/cgroup.procs')
    ).split('\n');
    const summary = await lab.run({
      workload: 'unit: mixed@1.service',
      files: ['/srv/mixed'],
      steps: '- uses: preflight\n- uses: dump\n- uses: transfer/rsync\n- uses: restore',
    });
    expect(summary, JSON.stringify(summary.failure)).toMatchObject({ exitCode: 0, warnings: [] });
    expect(await lab.sh('b', `ps -o user= -p "$1" | sort | uniq -c`, pids.join(','))).toMatch(
      /alice[^]*bob[^]*root/,
    );
    expect(await cgroupOf('b', pid)).toBe(String.raw`/system.slice/mixed\x401.scope`);
    expect(
      await lab.sh(
        'b',
        String.raw`cd '/sys/fs/cgroup/system.slice/mixed\x401.scope'; cat memory.max pids.max`,
      ),
    ).toBe('67108864\nmax');
    for (const user of ['alice', 'bob', 'root']) {
      const then = (await said('a', 'mixed@1.service', user)).split('\n').map(Number);
      const now = (await said('b', String.raw`mixed\x401.scope`, user)).split('\n').map(Number);
      // No line is missing, and none is there twice.
      expect([...then, ...now]).toEqual(
        Array.from({ length: then.length + now.length }, (_, index) => index + 1),
      );
    }
  });

  test('a profile that the destination does not have is seen before anything is frozen', async () => {
    const pid = await startVideo('AppArmorProfile=criu-flow-test');
    await lab.sh('b', 'apparmor_parser --remove /etc/apparmor.d/criu-flow-test');
    try {
      const summary = await moveVideo('a', 'b');
      expect(summary).toMatchObject({
        exitCode: 4,
        outcome: 'refused',
        failure: { message: expect.stringContaining('The AppArmor profile criu-flow-test') },
      });
      expect(await lab.processStart('a', pid)).not.toBe('');
      expect(await lab.untilAnswered(5)).toMatchObject({ connected: true, lost: 0 });
    } finally {
      await lab.sh('b', 'apparmor_parser --replace /etc/apparmor.d/criu-flow-test');
    }
  });
});
