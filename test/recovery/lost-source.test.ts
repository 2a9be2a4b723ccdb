import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { labKillHost, labStartHost } from '../../src/lab/lab.ts';
import { runCli } from '../helpers/cli.ts';
import { labSkipReason } from '../helpers/migration-lab.ts';
import { MovingService } from '../helpers/moving-service.ts';

describe.skipIf(labSkipReason !== undefined)('a source that is gone', () => {
  const service = new MovingService();
  const { cli, killedAt, expectOnly } = service;

  const killSource = (): Promise<void> => labKillHost(service.lab.lab.name, 'a');
  const startSource = (): Promise<void> => labStartHost(service.lab.lab.name, 'a');

  test('after the release: status says where the workload runs; back again, resume cleans up', async () => {
    const run = await killedAt('phase clean-up');
    await killSource();
    expect(await cli('status', run)).toMatchObject({
      exitCode: 6,
      stdout: expect.stringMatching(/^The workload runs on b\. a cannot be asked\.\n/),
    });
    await startSource();
    expect(await cli('resume', run)).toMatchObject({ exitCode: 0 });
    await expectOnly('b');
  });

  test('between commit and release: resume lets the destination’s copy run', async () => {
    const run = await killedAt('phase release');
    await killSource();
    expect(await cli('status', run)).toMatchObject({
      exitCode: 6,
      stdout: expect.stringMatching(
        /^Nobody runs: the copy on a has ended, and the one on b is whole and waits\. a cannot be asked\.\n.*\n.*criu-flow resume/,
      ),
    });
    const resumed = await cli('resume', run);
    expect(resumed.exitCode, resumed.stdout + resumed.stderr).toBe(7);
    expect(await service.lab.untilAnswered(20)).toMatchObject({ connected: true, lost: 0, duplicated: 0 });
    await startSource();
    expect(await cli('resume', run)).toMatchObject({ exitCode: 0 });
    await expectOnly('b');
  });

  test('before the commit: nothing runs until a person answers for it, and the source never runs it again', async () => {
    const run = await killedAt('phase commit');
    const copy = join(service.lab.directory, 'copy-before-the-commit');
    cpSync(join(service.runsDirectory, run), copy, { recursive: true });
    await killSource();
    for (const verb of ['rollback', 'resume']) {
      const refused = await cli(verb, run);
      expect(refused.exitCode, refused.stdout + refused.stderr).toBe(4);
      expect(refused.stdout + refused.stderr).toContain(`criu-flow resume ${run} --source-is-gone`);
    }
    // Held, or given up by its lease.
    expect(
      await service.lab.sh('b', `cat /var/lib/criu-flow/${run}-1/restore/decision 2> /dev/null || echo none`),
    ).not.toContain('commit');
    const resumed = await cli('resume', run, '--source-is-gone');
    expect(resumed.exitCode, resumed.stdout + resumed.stderr).toBe(7);
    expect(await service.lab.processStart('b', service.pid)).not.toBe('');
    await startSource();
    // Whoever has no more than an old copy cannot bring the source's copy back.
    expect((await cli('rollback', copy)).exitCode).toBe(4);
    expect(await cli('resume', run, '--source-is-gone')).toMatchObject({ exitCode: 0 });
    expect(await service.lab.processStart('a', service.pid)).toBe('');
    await expectOnly('b');
  });

  test('that is started again before it was told to commit, while the destination waits for ever: a rollback', async () => {
    const run = await killedAt('phase commit');
    // The controller came no further than to the waiver of the destination's lease; it may have done so itself.
    await service.lab.sh('b', `cd /var/lib/criu-flow/${run}-1/restore && ln lease.waived lease-end || true`);
    await killSource();
    await startSource();
    expect(await service.lab.sh('a', `ls /var/lib/criu-flow/${run}-1/dump`)).not.toMatch(/^decision$/m);
    expect(await cli('status', run)).toMatchObject({
      exitCode: 6,
      stdout: expect.stringMatching(
        /^Nobody runs: the copy on a ended when the host was started again, before the commit, and the one on b waits\. [^]*next: criu-flow rollback /,
      ),
    });
    // What the run had prepared on a is of the earlier boot.
    expect(await cli('resume', run)).toMatchObject({ exitCode: 4 });
    const back = await cli('rollback', run);
    expect(back.exitCode, back.stdout + back.stderr).toBe(0);
    // a took its end of an ssh connection along, which b's sshd cannot know.
    await service.expectCopyOn('a');
  });

  test.each([true, false])(
    'that is started again without its disk: what came to the destination runs when a person says so (waits: %s)',
    async (waits) => {
      const run = await killedAt('phase commit');
      const restore = `/var/lib/criu-flow/${run}-1/restore`;
      const end = waits
        ? 'ln lease.waived lease-end || true'
        : 'ln lease.expired lease-end; ln decision.lease decision';
      // Its lease was waived, or has ended.
      await service.lab.sh('b', `cd ${restore} && rm -f lease-end && { ${end}; }; printf x 1<> doorbell`);
      await killSource();
      await startSource();
      await service.lab.sh('a', 'rm -rf /var/lib/criu-flow');
      expect(await cli('status', run)).toMatchObject({
        exitCode: 6,
        stdout: expect.stringMatching(
          /^Nobody runs: a was started again, and has nothing of the run any more\. [^]*next: criu-flow resume \S+ --source-is-gone/,
        ),
      });
      for (const verb of ['rollback', 'resume']) {
        const refused = await cli(verb, run);
        expect(refused.exitCode, refused.stdout + refused.stderr).toBe(4);
        expect(refused.stdout + refused.stderr).toContain(`criu-flow resume ${run} --source-is-gone`);
      }
      const resumed = await cli('resume', run, '--source-is-gone');
      expect(resumed.exitCode, resumed.stdout + resumed.stderr).toBe(0);
      await service.expectCopyOn('b');
    },
  );

  test('that is started again restores what it held, with its address, when its images are known to be whole', async () => {
    const run = await killedAt('phase transfer');
    await killSource();
    await startSource();
    const images = `/var/lib/criu-flow/${run}-1/images`;
    // The controller was killed in the moment in which the digests were begun.
    await service.lab.sh('a', `rm -f ${images}.sha256`);
    expect(await cli('status', run)).toMatchObject({
      exitCode: 6,
      stdout: expect.stringMatching(/parts of them may be lost[^]*next: ssh .* a .*touch .*unchecked/),
    });
    const refused = await cli('rollback', run);
    expect(refused.exitCode, refused.stdout).toBe(6);
    expect(refused.stdout).toContain(`touch ${images}.unchecked`);
    await service.lab.sh('a', `touch ${images}.unchecked`);
    expect(await cli('rollback', run)).toMatchObject({ exitCode: 0 });
    expect(await service.lab.untilAnswered(20)).toMatchObject({ connected: true, lost: 0, duplicated: 0 });
    expect(await service.lab.processStart('a', service.pid)).not.toBe('');
    expect(await service.lab.sh('a', 'ls /var/lib/criu-flow 2> /dev/null || echo none')).toBe('none');
  });

  test.each([
    [
      'not known to be whole',
      'rm -f "$1.sha256"',
      'started again before its images and files were on its disk',
    ],
    [
      'emptied by its power cut',
      'rm -f "$1.sha256"; for file in "$1"/*; do : > "$file"; done',
      'memory is on b',
    ],
  ])(
    'that is started again, with images that are %s: those on the destination, which has not begun, are kept and run',
    async (_, lose, why) => {
      const run = await killedAt('phase restore');
      await service.lab.sh('b', `[ -f /var/lib/criu-flow/${run}-1/images.arrived ]`);
      await killSource();
      await startSource();
      await service.lab.sh('a', lose, `/var/lib/criu-flow/${run}-1/images`);
      expect(await cli('status', run)).toMatchObject({
        exitCode: 6,
        stdout: expect.stringMatching(
          new RegExp(`${why}[^]*images on b are whole[^]*next: criu-flow resume \\S+ --source-is-gone`),
        ),
      });
      const refused = await cli('rollback', run);
      expect(refused.exitCode, refused.stdout + refused.stderr).toBe(4);
      expect(refused.stdout + refused.stderr).toContain(`criu-flow resume ${run} --source-is-gone`);
      const resumed = await cli('resume', run, '--source-is-gone');
      expect(resumed.exitCode, resumed.stdout + resumed.stderr).toBe(0);
      await service.expectCopyOn('b');
    },
  );

  test('is not gone when it answers', async () => {
    const run = await killedAt('phase transfer');
    const refused = await cli('resume', run, '--source-is-gone');
    expect(refused.exitCode).toBe(4);
    expect(refused.stdout + refused.stderr).toContain('a answers: it is not gone');
    expect(await cli('rollback', run)).toMatchObject({ exitCode: 0 });
    await expectOnly('a');
  });

  test('is not gone either when it only shows another key', async () => {
    const run = await killedAt('phase transfer');
    const config = join(service.lab.directory, 'ssh_config');
    const known = readFileSync(service.lab.lab.sshConfigFile, 'utf8');
    writeFileSync(config, `Host a\n  UserKnownHostsFile /dev/null\n${known}`);
    const refused = await runCli(['resume', run, '--source-is-gone', '--ssh-config', config]);
    expect(refused.exitCode, refused.stdout + refused.stderr).toBe(4);
    expect(refused.stdout + refused.stderr).toMatch(/a answers: it is not gone[^]*key/);
    expect(await cli('rollback', run)).toMatchObject({ exitCode: 0 });
    await expectOnly('a');
  });

  test('that takes the workload along before it was dumped: a rollback cleans up, and says that it is lost', async () => {
    const run = await killedAt('phase prepare');
    await killSource();
    await startSource();
    expect(await cli('status', run)).toMatchObject({
      exitCode: 6,
      stdout: expect.stringMatching(
        /there are no images of it\. The run has left something on the hosts\.\nnext: criu-flow rollback /,
      ),
    });
    const ended = await cli('rollback', run);
    expect(ended.exitCode, ended.stdout).toBe(6);
    expect(ended.stdout).toMatch(/WORKLOAD_LOST: Process \d+ \(python3 .*\) on a has ended/);
    expect(ended.stdout).not.toContain(`criu-flow rollback ${run}`);
    for (const host of ['a', 'b']) {
      expect(await service.lab.sh(host, 'ls /var/lib/criu-flow 2> /dev/null || echo none')).toBe('none');
    }
    expect(await cli('status', run)).toMatchObject({
      exitCode: 6,
      stdout: expect.stringMatching(/there are no images of it\.\n$/),
    });
  });
});
