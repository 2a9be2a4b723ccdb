import { describe, expect, test } from 'vitest';
import { labKillHost, labStartHost } from '../../src/lab/lab.ts';
import { labSkipReason } from '../helpers/migration-lab.ts';
import { MovingService, stepsWith } from '../helpers/moving-service.ts';

const SHARED = stepsWith('transfer/shared').replace(
  '- uses: transfer/shared',
  '- { uses: transfer/shared, with: { directory: /shared } }',
);

/** Writes down the names of the images on a host, for the test. */
const list = (host: 'source' | 'destination'): string =>
  `- { uses: command, readOnly: true, with: { on: ${host}, shell: 'ls /var/lib/criu-flow/*/images/ > /shared/images-${host}' } }`;

describe.skipIf(labSkipReason !== undefined)('transfer/stream', () => {
  const service = new MovingService({ steps: stepsWith('transfer/stream') });
  const { cli, killedAt, expectOnly, expectCopyOn } = service;

  test('takes a service with its connection, whose memory never touches the disk of the source', async () => {
    const steps = stepsWith('transfer/stream').replace(
      '- uses: restore',
      `${list('source')}\n${list('destination')}\n- uses: restore`,
    );
    const { exitCode, stdout, stderr } = await service.run(undefined, service.recipe(steps));
    expect(exitCode, stdout + stderr).toBe(0);
    await expectCopyOn('b');
    expect(await service.lab.sh('a', 'cat /shared/images-source')).not.toMatch(/pages-/);
    expect(await service.lab.sh('b', 'cat /shared/images-destination')).toMatch(/^pages-\d+\.img$/m);
  });

  test('is taken back wherever its controller is killed before the commit', async () => {
    for (const moment of ['phase freeze', 'phase transfer', 'phase restore']) {
      const run = await killedAt(moment);
      const back = await cli('rollback', run);
      expect(back.exitCode, moment + back.stdout + back.stderr).toBe(0);
      await expectOnly('a');
    }
  });

  test.each(['ssh', 'page-server'])(
    'whose %s is gone when it is needed is rolled back, and the workload runs on',
    async (what) => {
      const kill =
        what === 'ssh'
          ? `{ on: source, shell: 'kill -KILL $(cat /var/lib/criu-flow/*/ssh/master.pid)' }`
          : `{ on: destination, shell: 'kill -KILL $(pidof criu)' }`;
      const recipe = service.lab.writeRecipe({
        workload: 'pidFile: /srv/tcp/pid',
        network: `connections: keep, address: { cidr: ${service.lab.lab.serviceAddress} }`,
        files: ['/srv/tcp'],
        steps: stepsWith('transfer/stream'),
        more: `hooks:\n  dump:\n    before:\n      - { uses: command, irreversible: it is a test, with: ${kill} }\n`,
      });
      const { exitCode, stdout, stderr } = await service.run(undefined, recipe);
      expect(exitCode, stdout + stderr).toBe(5);
      await expectOnly('a');
    },
  );

  test('is ended in its middle by whoever interrupts it, and by its lease when nobody is there', async () => {
    const { lab } = service;
    // As a disk that hangs: what is sent is not taken.
    const stop = `{ on: destination, shell: 'kill -STOP $(pidof criu)' }`;
    const recipe = lab.writeRecipe({
      workload: 'pidFile: /srv/tcp/pid',
      network: `connections: keep, address: { cidr: ${lab.lab.serviceAddress} }`,
      files: ['/srv/tcp'],
      steps: stepsWith('transfer/stream'),
      more: `hooks:\n  dump:\n    before:\n      - { uses: command, irreversible: it is a test, with: ${stop} }\n`,
    });
    const isSending = async (): Promise<boolean> =>
      (await lab.sh('a', 'cat /proc/*/comm | grep -c ^criu || :')) !== '0' &&
      (await lab.sh('a', 'ls /var/lib/criu-flow/*/dump')).includes('started');
    const interrupted = await service.run((text, kill) => {
      if (text.includes('phase freeze\n'))
        void expect
          .poll(isSending)
          .toBe(true)
          .then(() => kill('SIGINT'));
    }, recipe);
    expect(interrupted.exitCode, interrupted.stdout + interrupted.stderr).toBe(130);
    await expectOnly('a');

    const killed = await service.run((text, kill) => {
      if (text.includes('phase freeze\n'))
        void expect
          .poll(isSending)
          .toBe(true)
          .then(() => kill('SIGKILL'));
    }, recipe);
    expect(killed.exitCode).toBe(null);
    // It runs on before anybody looks.
    expect(await lab.untilAnswered(20)).toMatchObject({ connected: true, lost: 0 });
    const back = await cli('rollback', service.newestRun());
    expect(back.exitCode, back.stdout + back.stderr).toBe(0);
    await expectOnly('a');
  });

  test('cannot keep the images', async () => {
    const refused = await cli('run', service.recipe(), '--keep-images');
    expect(refused).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('streams the memory past it'),
    });
  });

  test('of which a user may not forward ports is refused before anything is frozen', async () => {
    await service.lab.sh(
      'b',
      'echo AllowTcpForwarding no >> /etc/ssh/sshd_config; kill -HUP $(cat /run/sshd.pid)',
    );
    try {
      const { exitCode, stdout } = await service.run();
      expect(exitCode, stdout).toBe(5);
      expect(stdout).toContain('sshd on b does not forward ports');
      expect(stdout).not.toContain('phase freeze');
      // sshd reads another configuration, which is newer than the lab.
      await expectCopyOn('a');
    } finally {
      await service.lab.sh(
        'b',
        "sed -i '/AllowTcpForwarding no/d' /etc/ssh/sshd_config; kill -HUP $(cat /run/sshd.pid)",
      );
    }
  });

  test('whose source ends while it is held goes on from the destination, when a person says so', async () => {
    const run = await killedAt('phase commit');
    // As if the controller had come no further than to the waiver of the destination's lease.
    await service.lab.sh('b', `cd /var/lib/criu-flow/${run}-1/restore && ln lease.waived lease-end || true`);
    await labKillHost(service.lab.lab.name, 'a');
    await labStartHost(service.lab.lab.name, 'a');
    expect(await cli('status', run)).toMatchObject({
      exitCode: 6,
      stdout: expect.stringMatching(
        /^Nobody runs: the copy on a has ended, and its memory is on b only\. [^]*next: criu-flow resume \S+ --source-is-gone/,
      ),
    });
    for (const verb of ['rollback', 'resume']) {
      const refused = await cli(verb, run);
      expect(refused.exitCode, refused.stdout + refused.stderr).toBe(4);
      expect(refused.stdout + refused.stderr).toContain(`criu-flow resume ${run} --source-is-gone`);
    }
    const resumed = await cli('resume', run, '--source-is-gone');
    expect(resumed.exitCode, resumed.stdout + resumed.stderr).toBe(0);
    await expectCopyOn('b');
  });

  test('whose source loses its power in a run that goes on is found on the destination, and its clients are not reset', async () => {
    const { lab } = service;
    const recipe = lab.writeRecipe({
      workload: 'pidFile: /srv/tcp/pid',
      network: `connections: keep, address: { cidr: ${lab.lab.serviceAddress} }`,
      files: ['/srv/tcp'],
      steps: stepsWith('transfer/stream'),
      more: 'hooks:\n  restore:\n    after:\n      - { uses: command, readOnly: true, with: { on: source, argv: [sleep, "60"] } }\n',
    });
    let restarted: Promise<void> | undefined;
    const { exitCode, stdout } = await service.run((text) => {
      if (!text.includes('Run sleep on the source')) return;
      restarted ??= labKillHost(lab.lab.name, 'a').then(() => labStartHost(lab.lab.name, 'a'));
    }, recipe);
    await restarted;
    expect(exitCode, stdout).toBe(6);
    const run = service.newestRun();
    expect(await cli('status', run)).toMatchObject({
      exitCode: 6,
      stdout: expect.stringMatching(
        /its memory is on b only\. [^]*next: criu-flow resume \S+ --source-is-gone/,
      ),
    });
    const resumed = await cli('resume', run, '--source-is-gone');
    expect([0, 7], resumed.stdout + resumed.stderr).toContain(resumed.exitCode);
    await expectCopyOn('b');
  });

  test('whose source loses its power before all has come has nothing to go on from, and says so', async () => {
    const run = await killedAt('phase transfer');
    await labKillHost(service.lab.lab.name, 'a');
    await labStartHost(service.lab.lab.name, 'a');
    expect(await cli('status', run)).toMatchObject({
      exitCode: 6,
      stdout: expect.stringMatching(
        /runs neither on a nor on b, and there are no images of it\.[^]*next: criu-flow rollback/,
      ),
    });
    expect(await cli('resume', run, '--source-is-gone')).toMatchObject({ exitCode: 4 });
    const back = await cli('rollback', run);
    expect(back.stdout + back.stderr).toContain('has ended');
    expect(await service.lab.sh('b', 'ls -A /var/lib/criu-flow 2> /dev/null; ls /srv')).toBe('static');
  });
});

describe.skipIf(labSkipReason !== undefined)('transfer/shared', () => {
  const service = new MovingService({ steps: SHARED, hasSharedData: true });
  const { cli, killedAt, expectOnly, expectCopyOn } = service;
  const places = (): Promise<string> => service.lab.sh('a', 'ls /shared | grep criu-flow || :');

  test('takes a service with its connection, and copies nothing', async () => {
    const steps = SHARED.replace(
      '- uses: restore',
      `- { uses: command, readOnly: true, with: { on: destination, shell: 'readlink /var/lib/criu-flow/*/images > /shared/images-destination; pidof rsync >> /shared/images-destination || :' } }\n- uses: restore`,
    );
    const { exitCode, stdout, stderr } = await service.run(undefined, service.recipe(steps));
    expect(exitCode, stdout + stderr).toBe(0);
    await expectCopyOn('b');
    expect(await service.lab.sh('a', 'cat /shared/images-destination')).toMatch(
      /^\/shared\/criu-flow-[^/]+\/images$/,
    );
    expect(await places()).toBe('');
  });

  test('is taken back wherever its controller is killed before the commit', async () => {
    for (const moment of ['phase freeze', 'phase transfer', 'phase restore']) {
      const run = await killedAt(moment);
      const back = await cli('rollback', run);
      expect(back.exitCode, moment + back.stdout + back.stderr).toBe(0);
      await expectOnly('a');
      expect(await places()).toBe('');
    }
  });

  test('whose source loses its power is restored there from what was shared', async () => {
    const run = await killedAt('phase restore');
    await labKillHost(service.lab.lab.name, 'a');
    await labStartHost(service.lab.lab.name, 'a');
    // All that was written may not have come to the disk by then: a person says that it has.
    const directory = `/var/lib/criu-flow/${run}-1`;
    await service.lab.sh('a', `cd ${directory} && { [ -f files.synced ] || touch images.unchecked; }`);
    const back = await cli('rollback', run);
    expect(back.exitCode, back.stdout + back.stderr).toBe(0);
    await expectCopyOn('a');
    expect(await places()).toBe('');
  });

  test('keeps its images for a revert', async () => {
    const { lab } = service;
    // It has no file that could have changed since.
    const pid = Number(await lab.sh('a', 'setsid sleep 4711 < /dev/null > /dev/null 2>&1 & echo $!'));
    const recipe = lab.writeRecipe({
      workload: `pid: ${pid}`,
      steps: `${SHARED}\n- uses: commit\n- { uses: command, with: { on: destination, argv: ['false'] } }`,
      more: 'onFailure: revert',
    });
    const { stdout, stderr } = await service.run(undefined, recipe);
    expect(await lab.processStart('a', pid), stdout + stderr).not.toBe('');
    expect(await lab.processStart('b', pid)).toBe('');
    expect(await places()).toBe('');
    await lab.sh('a', 'rm -rf /var/lib/criu-flow/checkpoints; rmdir /var/lib/criu-flow 2> /dev/null || :');
  });

  test.each([
    ['a directory that only the source has', 'rm -rf /srv/pool', 4, /b has no directory \/srv\/pool/],
    ['two directories of one name', 'mkdir -p /srv/pool', 5, /not the same directory on a and b/],
  ])('refuses %s', async (_, onDestination, code, message) => {
    await service.lab.sh('a', 'mkdir -p /srv/pool');
    await service.lab.sh('b', onDestination);
    const { exitCode, stdout } = await service.run(
      undefined,
      service.recipe(SHARED.replace('directory: /shared', 'directory: /srv/pool')),
    );
    expect(exitCode, stdout).toBe(code);
    expect(stdout).toMatch(message);
    expect(stdout).not.toContain('phase freeze');
    expect(await service.lab.sh('a', 'ls -A /srv/pool; rmdir /srv/pool')).toBe('');
    await service.lab.sh('b', 'rm -rf /srv/pool');
    await expectOnly('a');
  });

  test('refuses a directory in which other users could replace the images', async () => {
    await service.lab.sh('a', 'mkdir -m 777 /shared/open');
    try {
      const { exitCode, stdout } = await service.run(
        undefined,
        service.recipe(SHARED.replace('directory: /shared', 'directory: /shared/open')),
      );
      expect(exitCode, stdout).toBe(5);
      expect(stdout).toContain('Other users can replace what is in /shared/open');
      await service.lab.sh('a', 'chmod 1777 /shared/open');
      expect(
        await service.run(
          undefined,
          service.recipe(SHARED.replace('directory: /shared', 'directory: /shared/open')),
        ),
      ).toMatchObject({ exitCode: 0 });
      await expectCopyOn('b');
    } finally {
      await service.lab.sh('a', 'rm -rf /shared/open');
    }
  });
});
