import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SETTLE_DUMP_SCRIPT, SETTLE_RESTORE_SCRIPT } from '../../src/criu/settle-script.ts';
import { LocalHost } from '../../src/host/local.ts';
import type { CommandResult } from '../../src/host/host.ts';
import { workloadState } from '../../src/workload/identity.ts';
import { readWorkload } from '../../src/workload/facts.ts';
import { type StartedProgram, startProgram } from '../helpers/started-program.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

/** What a hold leaves when its criu is gone. The real criu heals and restores in test/e2e. */
describe('where criu did not do its part', () => {
  const host = new LocalHost();
  let directory: TemporaryDirectory;
  let task: StartedProgram;
  let start: number;
  beforeEach(async () => {
    directory = temporaryDirectory();
    mkdirSync(directory.at('images'));
    mkdirSync(directory.at('hold'));
    task = await startProgram('cat');
    start = (await readWorkload(host, task.pid)).processes[0]?.startTicks ?? 0;
    put('tasks', `${task.pid} ${start} t`);
    put('again', ['sh', '-c', 'echo "$1" >> "$2"', 'sh', "it's $(reboot)", directory.at('again')].join('\n'));
    writeFileSync(directory.at('images', 'inventory.img'), 'core');
    await host.run([
      'sh',
      '-c',
      'cd "$1" && sha256sum inventory.img > ../images.sha256',
      'sh',
      directory.at('images'),
    ]);
  });
  afterEach(async () => {
    await task.kill();
    directory[Symbol.dispose]();
  });

  const put = (name: string, text: string): void => writeFileSync(directory.at('hold', name), `${text}\n`);
  const settle = (script: string, how: 'killed' | 'failed' | 'again' = 'killed'): Promise<CommandResult> => {
    put('settle', script);
    return host.run(['sh', directory.at('hold', 'settle'), how]);
  };
  const state = (): ReturnType<typeof workloadState> => workloadState(host, task.pid, start);
  const again = (): string =>
    existsSync(directory.at('again')) ? readFileSync(directory.at('again'), 'utf8') : '';

  test.each([SETTLE_DUMP_SCRIPT, SETTLE_RESTORE_SCRIPT])(
    'nothing is done without a decision',
    async (script) => {
      put('started', '0.00');
      expect(await settle(script)).toMatchObject({ exitCode: 1, stdout: '' });
      expect(await state()).toBe('running');
      expect(again()).toBe('');
    },
  );

  describe('on the source', () => {
    test('after a commit the stopped tasks are ended, once and for all', async () => {
      process.kill(task.pid, 'SIGSTOP');
      put('decision', 'commit');
      for (const _ of ['once', 'again']) {
        expect(await settle(SETTLE_DUMP_SCRIPT)).toMatchObject({ exitCode: 0, stdout: 'ended\n' });
        expect(await state()).toBe('gone');
      }
      expect(again()).toBe('');
    });

    test('after an abort they run on, and their address comes back first', async () => {
      process.kill(task.pid, 'SIGSTOP');
      put('held', '4');
      put('decision', 'abort criu');
      put('on-abort', 'grep State "/proc/$(cut -d " " -f 1 tasks)/status" > state');
      expect(await settle(SETTLE_DUMP_SCRIPT)).toMatchObject({ exitCode: 0, stdout: 'resumed\n' });
      expect(readFileSync(directory.at('hold', 'state'), 'utf8')).toContain('stopped');
      await expect.poll(state).toBe('running');
    });

    test('a task that was stopped before the freeze stays so', async () => {
      process.kill(task.pid, 'SIGSTOP');
      put('held', '4');
      put('stopped', String(task.pid));
      put('decision', 'abort');
      expect(await settle(SETTLE_DUMP_SCRIPT)).toMatchObject({ stdout: 'resumed\n' });
      expect(await state()).toBe('stopped');
    });

    test('connections are put right by a second criu, and one that cannot leaves the decision to be tried again', async () => {
      put('held', '4');
      put('decision', 'abort criu');
      put('heal', ['sh', '-c', 'test -e "$1"', 'sh', directory.at('healthy')].join('\n'));
      expect(await settle(SETTLE_DUMP_SCRIPT)).toMatchObject({
        exitCode: 1,
        stdout: '',
        stderr: expect.stringContaining('second criu dump'),
      });
      writeFileSync(directory.at('healthy'), '');
      expect(await settle(SETTLE_DUMP_SCRIPT)).toMatchObject({ exitCode: 0, stdout: 'healed\n' });
      expect(await state()).toBe('running');
    });

    test('a criu that ended by itself has put the connections right', async () => {
      put('held', '4');
      put('decision', 'abort criu');
      put('heal', 'false');
      expect(await settle(SETTLE_DUMP_SCRIPT, 'failed')).toMatchObject({ stdout: 'resumed\n' });
    });

    test('a workload that is gone is restored from its images, one time', async () => {
      await task.kill();
      put('held', '4');
      put('decision', 'abort criu');
      for (const _ of ['once', 'again']) {
        expect(await settle(SETTLE_DUMP_SCRIPT)).toMatchObject({ exitCode: 0, stdout: 'restored\n' });
      }
      expect(again()).toBe("it's $(reboot)\n");
    });

    test('but not from images that have changed, until a person says so', async () => {
      await task.kill();
      put('held', '4');
      put('decision', 'abort criu');
      writeFileSync(directory.at('images', 'inventory.img'), 'corf');
      expect(await settle(SETTLE_DUMP_SCRIPT)).toMatchObject({
        exitCode: 1,
        stdout: '',
        stderr: expect.stringContaining(
          `the images have changed\nrun: touch ${directory.at('images.unchecked')}\n`,
        ),
      });
      expect(again()).toBe('');
    });

    test('one that has ended before its images were whole is gone: there is nothing to try again', async () => {
      await task.kill();
      rmSync(directory.at('images.sha256'));
      put('decision', 'abort criu');
      expect(await settle(SETTLE_DUMP_SCRIPT)).toMatchObject({ exitCode: 0, stdout: 'gone\n' });
      expect(again()).toBe('');
    });

    test('nor one whose memory was streamed to another host', async () => {
      await task.kill();
      put('held', '1');
      put('decision', 'abort criu');
      rmSync(directory.at('hold', 'again'));
      expect(await settle(SETTLE_DUMP_SCRIPT)).toMatchObject({ exitCode: 0, stdout: 'gone\n' });
      expect(again()).toBe('');
    });

    test('nor what had run on after its images were made, and ended with its host', async () => {
      await task.kill();
      put('boot', 'another');
      put('held', '4');
      put('aborted', '');
      put('decision', 'abort');
      expect(await settle(SETTLE_DUMP_SCRIPT)).toMatchObject({
        exitCode: 1,
        stdout: '',
        stderr: expect.stringContaining('ran on after its images'),
      });
      expect(again()).toBe('');
    });

    test('nor what ran on after its images were made, and ended later, until a person says so', async () => {
      await task.kill();
      put('held', '4');
      put('aborted', '');
      put('decision', 'abort');
      const hourAgo = new Date(Date.now() - 3_600_000);
      utimesSync(directory.at('hold', 'aborted'), hourAgo, hourAgo);
      expect(await settle(SETTLE_DUMP_SCRIPT)).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining(`rm ${directory.at('hold', 'aborted')}`),
      });
      expect(again()).toBe('');
      rmSync(directory.at('hold', 'aborted'));
      expect(await settle(SETTLE_DUMP_SCRIPT)).toMatchObject({ stdout: 'restored\n' });
    });

    test('what ended in the moment in which criu let it go is restored: its sockets were not put right', async () => {
      await task.kill();
      put('held', '4');
      put('aborted', '');
      put('decision', 'abort');
      expect(await settle(SETTLE_DUMP_SCRIPT)).toMatchObject({ stdout: 'restored\n' });
    });

    test('a host that was started again gets its service address back first', async () => {
      await task.kill();
      put('held', '4');
      put('decision', 'abort');
      put('boot', 'another');
      writeFileSync(directory.at('files.synced'), '');
      put('before-again', `echo address >> "${directory.at('again')}"`);
      expect(await settle(SETTLE_DUMP_SCRIPT)).toMatchObject({ stdout: 'restored\n' });
      expect(again()).toBe("address\nit's $(reboot)\n");
    });

    test('images without digests are whole in the boot that made them, and may be torn in the next one', async () => {
      await task.kill();
      rmSync(directory.at('images.sha256'));
      put('held', '4');
      put('decision', 'abort');
      put('boot', 'another');
      expect(await settle(SETTLE_DUMP_SCRIPT)).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining(`touch ${directory.at('images.unchecked')}`),
      });
      expect(again()).toBe('');
      writeFileSync(directory.at('images.unchecked'), '');
      expect(await settle(SETTLE_DUMP_SCRIPT)).toMatchObject({ stdout: 'restored\n' });
    });

    test('digests are not enough in the next boot: the files may be older than the memory', async () => {
      await task.kill();
      put('held', '4');
      put('decision', 'abort');
      put('boot', 'another');
      expect(await settle(SETTLE_DUMP_SCRIPT)).toMatchObject({
        exitCode: 1,
        stderr: expect.stringMatching(/images and files were on its disk[^]*unchecked/),
      });
      writeFileSync(directory.at('files.synced'), '');
      expect(await settle(SETTLE_DUMP_SCRIPT)).toMatchObject({ stdout: 'restored\n' });
    });

    test('images that a power cut has emptied are none; those that are not there may come back', async () => {
      await task.kill();
      put('held', '4');
      put('decision', 'abort');
      put('boot', 'another');
      rmSync(directory.at('images'), { recursive: true });
      expect(await settle(SETTLE_DUMP_SCRIPT)).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining('is the file system of the images mounted?'),
      });
      mkdirSync(directory.at('images'));
      writeFileSync(directory.at('images', 'inventory.img'), '');
      expect(await settle(SETTLE_DUMP_SCRIPT)).toMatchObject({ exitCode: 0, stdout: 'gone\n' });
      expect(again()).toBe('');
    });

    test("a pid that is another's by now is left alone", async () => {
      put('tasks', `${task.pid} ${start - 1}`);
      put('decision', 'commit');
      expect(await settle(SETTLE_DUMP_SCRIPT)).toMatchObject({ stdout: 'ended\n' });
      expect(await state()).toBe('running');
    });
  });

  describe('on the destination', () => {
    beforeEach(() => {
      put('tasks', String(task.pid));
      put('placed', '');
    });
    const uptime = (): string => readFileSync('/proc/uptime', 'utf8').split(' ')[0] ?? '';

    test('after an abort what criu restored is ended, and nothing that was there before', async () => {
      // Both clocks count hundredths of a second: the next one begins the others' time.
      const began = uptime();
      await expect.poll(uptime, { interval: 5 }).not.toBe(began);
      put('started', uptime());
      await using restored = await startProgram('cat');
      await using other = await startProgram('cat');
      put('tasks', `${task.pid} 0\n4194303 0\n${restored.pid} 0`);
      put('decision', 'abort');
      expect(await settle(SETTLE_RESTORE_SCRIPT)).toMatchObject({ exitCode: 0, stdout: 'ended\n' });
      expect(await workloadState(host, restored.pid, undefined)).toBe('gone');
      expect(await state()).toBe('running');
      expect(await workloadState(host, other.pid, undefined)).toBe('running');
    });

    test.each([
      [
        'another start time than criu had given it',
        'restored',
        () => `${task.pid} ${start - 1} t`,
        'running',
      ],
      ['the start time that criu had given it', 'restored', () => `${task.pid} ${start} t`, 'gone'],
      ['another program', 'tasks', () => `${task.pid} 0 /usr/bin/somebody-elses`, 'running'],
      ['its program', 'tasks', () => `${task.pid} 0 ${readlinkSync(`/proc/${task.pid}/exe`)}`, 'gone'],
    ] as const)('of those who have a pid by now, one with %s', async (_, file, line, expected) => {
      put('started', '0.00');
      put(file, line());
      put('decision', 'abort');
      expect(await settle(SETTLE_RESTORE_SCRIPT)).toMatchObject({ exitCode: 0, stdout: 'ended\n' });
      expect(await state()).toBe(expected);
    });

    test('nothing is ended when criu was never started', async () => {
      put('decision', 'abort');
      expect(await settle(SETTLE_RESTORE_SCRIPT)).toMatchObject({ stdout: 'ended\n' });
      expect(await state()).toBe('running');
    });

    test('a person does not get back what never came to its place', async () => {
      await task.kill();
      rmSync(directory.at('hold', 'placed'));
      put('decision', 'commit');
      expect(await settle(SETTLE_RESTORE_SCRIPT, 'again')).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining('resume the run'),
      });
      expect(await settle(SETTLE_RESTORE_SCRIPT)).toMatchObject({ stdout: 'ended\n' });
      expect(again()).toBe('');
    });

    test('what was never started is restored when it must be all the same, and is known by its time', async () => {
      await task.kill();
      put('decision', 'commit');
      put('boot', 'another');
      writeFileSync(directory.at('files.synced'), '');
      expect(await settle(SETTLE_RESTORE_SCRIPT, 'again')).toMatchObject({
        exitCode: 0,
        stdout: 'restored\n',
      });
      expect(again()).toBe("it's $(reboot)\n");
      expect(Number(readFileSync(directory.at('hold', 'started'), 'utf8'))).toBeGreaterThan(0);
    });

    test('after a boot of the host nothing is ended: the pids are others’ now', async () => {
      put('started', '0.00');
      put('boot', 'another');
      put('decision', 'abort');
      expect(await settle(SETTLE_RESTORE_SCRIPT)).toMatchObject({ exitCode: 0, stdout: 'ended\n' });
      expect(await state()).toBe('running');
    });

    test('what criu was about to let go runs: it is not ended, and its fence is lifted', async () => {
      put('started', '0.00');
      put('resuming', '');
      put('decision', 'commit');
      put('on-resume', ': > lifted');
      expect(await settle(SETTLE_RESTORE_SCRIPT)).toMatchObject({ exitCode: 0, stdout: 'restored\n' });
      expect(await state()).toBe('running');
      expect(again()).toBe('');
      expect(existsSync(directory.at('hold', 'lifted'))).toBe(true);
    });

    test('a person gets back what has ended since, and only that', async () => {
      put('started', '0.00');
      put('resuming', '');
      put('settled', 'restored');
      put('decision', 'commit');
      expect(await settle(SETTLE_RESTORE_SCRIPT, 'again')).toMatchObject({
        exitCode: 1,
        stderr: `it runs: ${task.pid} \n`,
      });
      await task.kill();
      expect(await settle(SETTLE_RESTORE_SCRIPT, 'again')).toMatchObject({
        exitCode: 0,
        stdout: 'restored\n',
      });
      expect(again()).toBe("it's $(reboot)\n");
    });

    test('after a commit it is restored once more, then its fence is lifted', async () => {
      put('started', '0.00');
      put('decision', 'commit');
      put('on-resume', `cp "${directory.at('again')}" lifted`);
      expect(await settle(SETTLE_RESTORE_SCRIPT)).toMatchObject({ exitCode: 0, stdout: 'restored\n' });
      expect(await state()).toBe('gone');
      expect(readFileSync(directory.at('hold', 'lifted'), 'utf8')).toBe("it's $(reboot)\n");
    });
  });
});
