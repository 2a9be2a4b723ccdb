import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RunSummary } from '../../src/events/event.ts';
import { settleIn } from '../faults/power-faults.ts';
import { machinesSkipReason, MigrationLab } from '../helpers/migration-lab.ts';
import { expectWritten, startWriterOn } from '../helpers/writer.ts';
import { mountNfs, NFS, RESTART_SERVER, serveNfs, unmountNfs } from './nfs-server.ts';

describe.skipIf(machinesSkipReason !== undefined)('images on an NFSv4 server, a third machine', () => {
  let lab: MigrationLab;
  beforeAll(async () => {
    lab = await MigrationLab.up({ driver: 'vm' });
    for (const host of ['a', 'b'] as const) await settleIn(lab, host);
    await serveNfs(lab, 'no_root_squash');
    await mountNfs(lab);
    // What a client remembers of a file or a directory, and of one that is not there, holds for up to a minute (nfs(5), acregmax).
    await lab.sh('b', `umount ${NFS}; mount -t nfs4 -o actimeo=60 c:/ ${NFS}`);
  });
  afterAll(async () => {
    await unmountNfs(lab);
    await lab.down();
  });
  afterEach(async () => {
    await lab.reset();
    await lab.scrub();
  });

  /** Where root of a client is somebody else. */
  const IMAGES = `${NFS}/images`;

  const emptyServer = (): Promise<string> =>
    lab.sh('c', 'rm -rf /export/*; mkdir -m 700 /export/images; mkdir -m 777 /export/tcp');

  async function start(): Promise<number> {
    await emptyServer();
    for (const host of ['a', 'b']) await lab.sh(host, `ln -sfT ${NFS}/tcp /srv/tcp`);
    return lab.startService({ memoryMiB: 16 });
  }

  /** @param between what is done on the server once the images are written */
  const move = (pid: number, between: string = ':'): Promise<RunSummary> =>
    lab.run({
      workload: `pid: ${pid}`,
      network: `connections: keep, address: { cidr: ${lab.lab.serviceAddress} }`,
      steps: `- uses: preflight
        - uses: dump
        - { uses: command, readOnly: true, with: { on: local, argv: [ssh, -F, ${lab.lab.sshConfigFile}, c, '${between}'] } }
        - { uses: transfer/shared, with: { directory: ${IMAGES} } }
        - uses: restore`,
    });

  const expectOn = async (host: 'a' | 'b', pid: number): Promise<void> => {
    expect(await lab.processStart(host, pid)).not.toBe('');
    expect(await lab.processStart(host === 'a' ? 'b' : 'a', pid)).toBe('');
    expect(await lab.untilAnswered(20)).toMatchObject({
      connected: true,
      lost: 0,
      duplicated: 0,
      forgotten: 0,
    });
    expect(await lab.sh('c', 'ls /export/images')).toBe('');
    for (const each of ['a', 'b'])
      expect(await lab.sh(each, 'ls /var/lib/criu-flow 2> /dev/null || :')).toBe('');
  };

  test('nothing travels from the source to the destination', async () => {
    const pid = await start();
    const address = await lab.sh('a', "ip -o -4 address show eth0 primary | sed 's/.*inet //; s,/.*,,'");
    await lab.sh(
      'b',
      'nft "add table inet count; add chain inet count arrivals { type filter hook input priority -300; }; add rule inet count arrivals ip saddr $1 counter"',
      address,
    );
    expect(await move(pid)).toMatchObject({ exitCode: 0 });
    expect(await lab.sh('b', 'nft list table inet count; nft delete table inet count')).toContain(
      'packets 0 bytes 0',
    );
    await expectOn('b', pid);
  });

  test('a server that is started again in the middle is waited for', async () => {
    const pid = await start();
    expect(await move(pid, RESTART_SERVER)).toMatchObject({ exitCode: 0 });
    await expectOn('b', pid);
  });

  test('an open file that grows on the server is the same on both hosts, though the destination remembers how it was', async () => {
    await emptyServer();
    const pid = await lab.sh(
      'a',
      'echo short > "$1"; setsid sh -c \'exec sleep 4711 5>> "$1"\' sh "$1" < /dev/null > /dev/null 2>&1 & echo $!',
      `${NFS}/tcp/log`,
    );
    await lab.sh('b', 'stat "$1" > /dev/null', `${NFS}/tcp/log`);
    await lab.sh('a', 'echo and longer >> "$1"', `${NFS}/tcp/log`);
    const summary = await lab.run({
      workload: `pid: ${pid}`,
      steps: `- uses: preflight
        - uses: dump
        - { uses: transfer/shared, with: { directory: ${IMAGES} } }
        - uses: restore`,
    });
    expect(summary, JSON.stringify(summary.failure)).toMatchObject({ exitCode: 0 });
    expect(await lab.processStart('b', Number(pid))).not.toBe('');
  });

  test.each(['pre-copy', 'auto'])(
    'rounds are found there one after another, and the dump after them: %s',
    async (strategy) => {
      await emptyServer();
      const pid = await startWriterOn(lab, 16, 1, 4);
      const summary = await lab.run({
        workload: `pid: ${pid}`,
        steps: `- uses: preflight
        - { uses: dump, with: { strategy: ${strategy} } }
        - { uses: transfer/shared, with: { directory: ${IMAGES} } }
        - uses: restore`,
      });
      expect(summary, JSON.stringify(summary.failure)).toMatchObject({ exitCode: 0 });
      // By what was measured it may be that all moves in the pause.
      if (strategy === 'auto') process.stdout.write(`auto: ${JSON.stringify(summary.strategy)}\n`);
      if (summary.strategy?.chosen !== 'stop-and-copy') {
        expect(summary.preCopy?.rounds.length).toBeGreaterThan(1);
        expect(summary.imageBytes).toBeLessThan(8 * 1024 ** 2);
      }
      await expectWritten(lab, 'b');
      expect(await lab.sh('c', 'ls /export/images')).toBe('');
    },
  );

  test('images that are taken away in the middle, by their handles: the workload runs on where it was', async () => {
    const pid = await start();
    const summary = await move(pid, 'rm -rf /export/images/*/images');
    expect(summary).toMatchObject({ exitCode: 5, workloadIsOn: 'source' });
    await expectOn('a', pid);
  });

  describe('that takes root for nobody', () => {
    beforeAll(() => serveNfs(lab, 'root_squash'));

    test('refuses before anything is frozen where nobody cannot write', async () => {
      const pid = await start();
      const summary = await move(pid);
      expect(summary).toMatchObject({
        exitCode: 5,
        failure: { code: 'NOT_SHARED', message: `root of a cannot write into ${IMAGES}` },
      });
      expect(summary.failure?.hint).toContain('no_root_squash');
      await expectOn('a', pid);
    });

    test('does as well where that user has a directory', async () => {
      const pid = await start();
      await lab.sh('c', 'chown nobody: /export/images');
      expect(await move(pid)).toMatchObject({ exitCode: 0 });
      await expectOn('b', pid);
    });
  });
});
