import { describe, expect, test } from 'vitest';
import { labKillHost, labStartHost } from '../../src/lab/lab.ts';
import { labSkipReason } from '../helpers/migration-lab.ts';
import { MovingService, stepsWith } from '../helpers/moving-service.ts';

/** In the directory that moves: what SFTP itself knows nothing of. */
const MAKE_TREE = `cd /srv/tcp && mkdir -p -m 750 deep/er && chown 33:44 deep && ln -s ../pid deep/link && echo x > deep/file &&
  ln deep/file deep/again && chmod 4711 deep/file && mkfifo -m 620 deep/fifo && truncate -s 20M deep/sparse && echo > 'deep/a
b' && : > deep/er/empty`;
const LIST_TREE = `cd /srv/tcp && find deep -printf '%y %m %U %G %n %Ts %p %l\\n' | sort && find deep -type f -print0 | sort -z |
  xargs -0 sha256sum && test $(stat -c %b deep/sparse) -lt 100 && test deep/file -ef deep/again`;

describe.skipIf(labSkipReason !== undefined)('transfer/sftp', () => {
  const service = new MovingService({ steps: stepsWith('transfer/sftp') });
  const { cli, killedAt, expectOnly, expectCopyOn } = service;

  /** A recipe that kills something on the destination when the service is frozen. */
  const killing = (what: string): string =>
    service.lab.writeRecipe({
      workload: 'pidFile: /srv/tcp/pid',
      network: `connections: keep, address: { cidr: ${service.lab.lab.serviceAddress} }`,
      files: ['/srv/tcp'],
      steps: stepsWith('transfer/sftp'),
      more: `hooks:\n  transfer:\n    before:\n      - { uses: command, irreversible: it is a test, with: { on: destination, shell: '${what}' } }\n`,
    });

  test('takes a service with its connection and its files between hosts that do not reach each other', async () => {
    const { lab } = service;
    await lab.sh('a', MAKE_TREE);
    const before = await lab.sh('a', LIST_TREE);
    const { exitCode, stdout, stderr } = await service.apart(() => service.run());
    expect(exitCode, stdout + stderr).toBe(0);
    expect(stdout).toMatch(/by criu +\d+ ms to dump, \d+ ms to restore/);
    await expectCopyOn('b');
    expect(await lab.sh('b', LIST_TREE)).toBe(before);
  });

  test('is taken back wherever its controller is killed before the commit', async () => {
    for (const moment of ['phase prepare', 'phase transfer', 'phase restore']) {
      const run = await killedAt(moment);
      const back = await cli('rollback', run);
      expect(back.exitCode, moment + back.stdout + back.stderr).toBe(0);
      await expectOnly('a');
    }
  });

  test('connects anew when its connection is lost in the pause, and says so', async () => {
    const recipe = killing('kill -KILL $(pidof sftp-server)');
    const { exitCode, stdout, stderr } = await service.run(undefined, recipe);
    expect(exitCode, stdout + stderr).toBe(0);
    expect(stdout).toContain('The SFTP connection to b was lost. There is a new one');
    await expectCopyOn('b');
  });

  test('without an SFTP server is refused before anything is frozen', async () => {
    const { lab } = service;
    await lab.sh('b', 'mv /usr/lib/openssh/sftp-server /usr/lib/openssh/gone');
    try {
      const { exitCode, stdout } = await service.run();
      expect(exitCode, stdout).toBe(5);
      expect(stdout).not.toContain('phase freeze');
      await expectCopyOn('a');
    } finally {
      await lab.sh('b', 'mv /usr/lib/openssh/gone /usr/lib/openssh/sftp-server');
    }
  });

  test('whose destination dies in its middle lets the service run on', async () => {
    const { lab } = service;
    const { exitCode, stdout, stderr } = await service.run((text) => {
      if (text.includes('phase transfer\n')) void labKillHost(lab.lab.name, 'b');
    });
    expect(exitCode, stdout + stderr).toBe(5);
    await labStartHost(lab.lab.name, 'b');
    expect(await lab.processStart('a', service.pid)).not.toBe('');
    expect(await lab.untilAnswered(20)).toMatchObject({ lost: 0, duplicated: 0, forgotten: 0 });
  });
});

describe.skipIf(labSkipReason !== undefined)('a connection from host to host that breaks', () => {
  const service = new MovingService();

  test.each(['transfer/rsync', 'transfer/stream'])('in the pause of %s is made anew', async (transfer) => {
    const what = `{ on: source, shell: 'kill -KILL $(cat /var/lib/criu-flow/*/ssh/master.pid)' }`;
    const recipe = service.lab.writeRecipe({
      workload: 'pidFile: /srv/tcp/pid',
      network: `connections: keep, address: { cidr: ${service.lab.lab.serviceAddress} }`,
      files: ['/srv/tcp'],
      steps: stepsWith(transfer),
      more: `hooks:\n  transfer:\n    before:\n      - { uses: command, irreversible: it is a test, with: ${what} }\n`,
    });
    const { exitCode, stdout, stderr } = await service.run(undefined, recipe);
    expect(exitCode, stdout + stderr).toBe(0);
    expect(stdout).toContain('The connection from a to b broke');
    await service.expectCopyOn('b');
  });
});

describe.skipIf(labSkipReason !== undefined)('hosts that do not reach each other', () => {
  const service = new MovingService();

  test.each(['transfer/rsync', 'transfer/stream'])(
    'have what %s sends go through this machine',
    async (transfer) => {
      const recipe = service.recipe(stepsWith(transfer));
      const { exitCode, stdout, stderr } = await service.apart(() => service.run(undefined, recipe));
      expect(exitCode, stdout + stderr).toBe(0);
      expect(stdout).toContain('a cannot reach b by itself (ssh: connect to host');
      await service.expectCopyOn('b');
    },
  );

  test('are taken back wherever the controller is killed, which was their way', async () => {
    for (const moment of ['phase freeze', 'phase restore']) {
      const run = await service.apart(() => service.killedAt(moment));
      const back = await service.cli('rollback', run);
      expect(back.exitCode, moment + back.stdout + back.stderr).toBe(0);
      await service.expectOnly('a');
    }
  });
});
