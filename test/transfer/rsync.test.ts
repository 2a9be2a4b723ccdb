import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Host } from '../../src/host/host.ts';
import { LocalHost } from '../../src/host/local.ts';
import {
  BrokenTransfer,
  copyFiles,
  copyFilesAgain,
  copyRound,
  copyOnHostAgain,
  WaitingCopy,
} from '../../src/transfer/rsync.ts';
import type { ImagesWanted } from '../../src/transfer/images-wanted.ts';
import type { TransferProgress } from '../../src/transfer/progress.ts';
import { sshdSkipReason, startSshd, type TestSshd } from '../helpers/sshd.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

describe.skipIf(sshdSkipReason !== undefined)(
  `rsync from the source to the destination${sshdSkipReason === undefined ? '' : ` (skipped: ${sshdSkipReason})`}`,
  () => {
    const source = new LocalHost();
    let sshd: TestSshd;
    let sshConfigFile: string;
    let directory: TemporaryDirectory;
    beforeAll(async () => {
      sshd = await startSshd();
      // The name under which the source knows it.
      sshConfigFile = await sshd.writeConfig('direct', {});
      writeFileSync(
        sshConfigFile,
        readFileSync(sshConfigFile, 'utf8').replace('Host lab', 'Host destination'),
      );
    });
    afterAll(() => sshd?.close());
    beforeEach(() => {
      directory = temporaryDirectory();
      mkdirSync(directory.at('from'));
      mkdirSync(directory.at('to'));
    });
    afterEach(() => directory[Symbol.dispose]());
    const { signal } = new AbortController();
    const lz4 = (images: ImagesWanted): Parameters<typeof WaitingCopy.ofImages>[1] => ({
      images,
      compression: 'lz4',
    });
    const way = (): Parameters<typeof WaitingCopy.ofImages>[0] => ({
      source,
      sshConfigFile,
      from: `${directory.at('from')}/`,
      to: `${directory.at('to')}/`,
    });

    test.each(['over ssh', 'on the host'])(
      'files whose times tell nothing are copied again, %s: odd names, hard links, and not what is gone',
      async (where) => {
        const odd = 'a\n b\\tc (deleted)';
        for (const side of ['from', 'to']) {
          writeFileSync(directory.at(side, odd), side);
          mkdirSync(directory.at(side, '-d'));
          writeFileSync(directory.at(side, '-d', 'one'), side);
          linkSync(directory.at(side, '-d', 'one'), directory.at(side, 'other'));
          writeFileSync(directory.at(side, 'not named'), side);
        }
        const names = new Set([odd, '-d/one', 'gone']);
        if (where === 'over ssh') await copyFilesAgain(way(), names, signal);
        else await copyOnHostAgain(source, way(), names, signal);
        const read = (...name: readonly string[]): string =>
          readFileSync(directory.at('to', ...name), 'utf8');
        expect([read(odd), read('-d', 'one'), read('other')]).toEqual(['from', 'from', 'from']);
        expect(read('not named')).toBe('to');
        expect(statSync(directory.at('to', 'other')).nlink).toBe(2);
        const one = { from: directory.at('from', 'not named'), to: directory.at('to', 'not named') };
        if (where === 'over ssh') await copyFilesAgain({ ...way(), ...one }, new Set(['.']), signal);
        else await copyOnHostAgain(source, one, new Set(['.']), signal);
        expect(read('not named')).toBe('from');
      },
    );

    test('images go into the room that was made for them, also where size and time look the same', async () => {
      // It waits from before there is anything.
      const transfer = WaitingCopy.ofImages(way(), lz4('all'));
      writeFileSync(directory.at('from', 'pages-1.img'), 'memory');
      writeFileSync(directory.at('from', 'core-1.img'), 'core');
      writeFileSync(directory.at('to', 'pages-1.img'), '\0\0\0\0\0\0');
      writeFileSync(directory.at('to', 'pages-2.img'), 'more room than was needed');
      for (const side of ['from', 'to']) utimesSync(directory.at(side, 'pages-1.img'), 1, 1);
      const { ino } = statSync(directory.at('to', 'pages-1.img'));
      const seen: TransferProgress[] = [];
      await transfer.send(signal, (progress) => seen.push(progress));
      expect(readFileSync(directory.at('to', 'pages-1.img'), 'utf8')).toBe('memory');
      expect(statSync(directory.at('to', 'pages-1.img')).ino).toBe(ino);
      expect(readdirSync(directory.at('to')).toSorted()).toEqual(['core-1.img', 'pages-1.img']);
      expect(seen.at(-1)).toMatchObject({ doneBytes: 10 });
    });

    test('a directory that waits is copied as any other: what is new, changed, gone, its links, modes and times', async () => {
      const from = (...name: readonly string[]): string => directory.at('from', ...name);
      mkdirSync(from('deep'));
      writeFileSync(from('deep', 'same size'), 'one');
      writeFileSync(from('gone'), '');
      await copyFiles(way(), { isFirst: false, signal });
      const transfer = WaitingCopy.ofDirectory(way());
      // In the second of the first copy.
      const { mtimeMs } = statSync(from('deep', 'same size'));
      writeFileSync(from('deep', 'same size'), 'two');
      utimesSync(from('deep', 'same size'), mtimeMs / 1000, (mtimeMs + 0.001) / 1000);
      rmSync(from('gone'));
      linkSync(from('deep', 'same size'), from('link'));
      symlinkSync('nowhere', from('symbolic'));
      chmodSync(from(), 0o710);
      await transfer.send(signal);
      const to = (...name: readonly string[]): string => directory.at('to', ...name);
      expect(readdirSync(to()).toSorted()).toEqual(['deep', 'link', 'symbolic']);
      expect(readFileSync(to('deep', 'same size'), 'utf8')).toBe('two');
      expect(statSync(to('link')).ino).toBe(statSync(to('deep', 'same size')).ino);
      expect(readlinkSync(to('symbolic'))).toBe('nowhere');
      expect(statSync(to()).mode & 0o777).toBe(0o710);
      const idle = WaitingCopy.ofDirectory(way());
      rmSync(from('link'));
      await idle.cancel();
      expect(readdirSync(to())).toContain('link');
    });

    test('rounds of images travel before, and what was dumped since without them', async () => {
      const transfer = WaitingCopy.ofImages(way(), lz4('without-rounds'));
      for (const round of ['round-1', 'round-2']) {
        mkdirSync(directory.at('from', round));
        writeFileSync(directory.at('from', round, 'pages-1.img'), round);
        symlinkSync('../round-1', directory.at('from', round, 'parent'));
        const { from, ...rest } = way();
        await copyRound({ ...rest, from: `${from}${round}` }, 'zstd', signal, () => undefined);
      }
      // What is not sent again is as it came.
      writeFileSync(directory.at('from', 'round-1', 'pages-1.img'), 'another');
      symlinkSync('round-2', directory.at('from', 'last-round'));
      writeFileSync(directory.at('from', 'pages-1.img'), 'rest');
      writeFileSync(directory.at('to', 'pages-9.img'), 'room');
      await transfer.send(signal, () => undefined);
      expect(readdirSync(directory.at('to')).toSorted()).toEqual([
        ...['last-round', 'pages-1.img', 'round-1', 'round-2'],
      ]);
      expect(readFileSync(directory.at('to', 'round-1', 'pages-1.img'), 'utf8')).toBe('round-1');
      expect(readFileSync(directory.at('to', 'last-round', 'pages-1.img'), 'utf8')).toBe('round-2');
      expect(readlinkSync(directory.at('to', 'round-2', 'parent'))).toBe('../round-1');
    });

    test('memory that came there another way stays', async () => {
      writeFileSync(directory.at('from', 'core-1.img'), 'core');
      writeFileSync(directory.at('to', 'pages-1.img'), 'memory');
      const transfer = WaitingCopy.ofImages(way(), lz4('without-memory'));
      await transfer.send(signal, () => undefined);
      expect(readFileSync(directory.at('to', 'pages-1.img'), 'utf8')).toBe('memory');
      expect(readFileSync(directory.at('to', 'core-1.img'), 'utf8')).toBe('core');
    });

    test('what is left of images after a connection broke is sent on another', async () => {
      const pages = randomBytes(8_000_000);
      writeFileSync(directory.at('from', 'pages-1.img'), pages);
      writeFileSync(directory.at('from', 'core-1.img'), 'core');
      writeFileSync(
        directory.at('to', 'pages-1.img'),
        Buffer.concat([pages.subarray(0, 6_000_000), Buffer.alloc(2_500_000)]),
      );
      writeFileSync(directory.at('to', 'pages-2.img'), 'room that was too much');
      let said = '';
      const telling: Host = {
        name: source.name,
        run: async ([rsync = '', ...rest], options) => {
          const result = await source.run([rsync, '--stats', ...rest], options);
          said = result.stdout;
          return result;
        },
        standBy: () => source.standBy(),
        close: () => source.close(),
      };
      await WaitingCopy.ofRest({ ...way(), source: telling }, lz4('all')).send(signal);
      const literalBytes = Number(/Literal data: (\d+)/.exec(said.replaceAll(',', ''))?.[1]);
      expect(literalBytes).toBeGreaterThan(1_900_000);
      expect(literalBytes).toBeLessThan(2_100_000);
      expect(readFileSync(directory.at('to', 'pages-1.img')).equals(pages)).toBe(true);
      expect(readdirSync(directory.at('to')).toSorted()).toEqual(['core-1.img', 'pages-1.img']);
    });

    test('a connection that breaks is told from other failures', async () => {
      writeFileSync(directory.at('from', 'pages-1.img'), randomBytes(200_000_000));
      const sending = WaitingCopy.ofImages(way(), lz4('all')).send(signal);
      sending.catch(() => undefined);
      await expect.poll(() => readdirSync(directory.at('to'))).toEqual(['pages-1.img']);
      await sshd.endSessions();
      await expect(sending).rejects.toBeInstanceOf(BrokenTransfer);
      const missing = copyFiles({ ...way(), from: '/none' }, { isFirst: false, signal });
      await expect(missing).rejects.not.toBeInstanceOf(BrokenTransfer);
    });

    test('a file that is removed while it is copied matters to the last copy only', async () => {
      for (const isFirst of [true, false]) {
        writeFileSync(directory.at('from', 'a'), Buffer.alloc(50_000_000, String(isFirst)));
        writeFileSync(directory.at('from', 'z'), String(isFirst));
        const copy = copyFiles(way(), { isFirst, signal });
        copy.catch(() => undefined);
        // The first of both is on its way, and both are listed.
        await expect
          .poll(() => readdirSync(directory.at('to')).find((name) => name.startsWith('.a')))
          .toBeTruthy();
        rmSync(directory.at('from', 'z'));
        if (isFirst) await copy;
        else
          await expect(copy).rejects.toMatchObject({ hint: 'Some files vanished while they were copied.' });
        expect(statSync(directory.at('to', 'a')).size).toBe(50_000_000);
      }
    });

    test('images that are not sent leave the destination as it was', async () => {
      writeFileSync(directory.at('from', 'pages-1.img'), 'memory');
      writeFileSync(directory.at('to', 'pages-1.img'), 'room');
      const transfer = WaitingCopy.ofImages(way(), lz4('all'));
      await transfer.cancel();
      await transfer.cancel();
      expect(readFileSync(directory.at('to', 'pages-1.img'), 'utf8')).toBe('room');
    });

    test('an interruption ends it while it sends', async () => {
      writeFileSync(directory.at('from', 'pages-1.img'), 'memory');
      const transfer = WaitingCopy.ofImages(way(), lz4('all'));
      await expect(transfer.send(AbortSignal.abort(), () => undefined)).rejects.toMatchObject({
        code: 'INTERRUPTED',
      });
      await transfer.cancel();
    });

    test('images whose destination is gone fail with rsync’s own line', async () => {
      const transfer = WaitingCopy.ofImages(
        { ...way(), sshConfigFile: directory.at('no-such-config') },
        lz4('all'),
      );
      await expect(transfer.send(signal, () => undefined)).rejects.toMatchObject({
        code: 'TRANSFER_FAILED',
        host: 'local',
        evidence: expect.stringMatching(/^rsync: connection unexpectedly closed/),
        // rsync tells of its own end, or of ssh's, whichever it hears of first.
        hint: expect.stringMatching(/^The connection between the hosts broke/),
      });
    });

    test('files arrive with their mode, links and holes; what is gone at the source goes', async () => {
      writeFileSync(directory.at('from', 'program'), '#!', { mode: 0o750 });
      symlinkSync('program', directory.at('from', 'link'));
      writeFileSync(directory.at('to', 'gone'), '');
      await copyFiles(way(), { isFirst: false, signal });
      expect(readdirSync(directory.at('to')).toSorted()).toEqual(['link', 'program']);
      expect(statSync(directory.at('to', 'program')).mode & 0o777).toBe(0o750);
    });

    test('a file that changed twice within a second and kept its size is copied again', async () => {
      const path = directory.at('from', 'log');
      writeFileSync(path, 'one');
      utimesSync(path, 1000, 1000.1);
      await copyFiles(way(), { isFirst: false, signal });
      writeFileSync(path, 'two');
      utimesSync(path, 1000, 1000.2);
      await copyFiles(way(), { isFirst: false, signal });
      expect(readFileSync(directory.at('to', 'log'), 'utf8')).toBe('two');
    });

    test('a failure has rsync’s own line and what its exit code means', async () => {
      const from = directory.at('from', 'missing');
      const failing = copyFiles({ ...way(), from, to: directory.at('to') }, { isFirst: false, signal });
      await expect(failing).rejects.toMatchObject({
        code: 'TRANSFER_FAILED',
        host: 'local',
        message: `rsync of ${from} from local ended with 23`,
        evidence: expect.stringContaining(`"${from}" failed: No such file or directory`),
        hint: 'Some files could not be copied.',
      });
    });

    test('an interruption ends it', async () => {
      await expect(copyFiles(way(), { isFirst: true, signal: AbortSignal.abort() })).rejects.toMatchObject({
        code: 'INTERRUPTED',
      });
    });
  },
);
