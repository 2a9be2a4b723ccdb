import { randomBytes } from 'node:crypto';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CommandResult } from '../../src/host/host.ts';
import { LocalHost } from '../../src/host/local.ts';
import {
  RECEIVE_SCRIPT,
  readStreamProgress,
  SENT_IMAGES,
  sendImagesCommand,
} from '../../src/transfer/image-stream.ts';
import type { ImagesWanted } from '../../src/transfer/images-wanted.ts';
import type { TransferProgress } from '../../src/transfer/progress.ts';
import { type FakePrograms, fakePrograms } from '../helpers/fake-programs.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

let directory: TemporaryDirectory;
let fakes: FakePrograms;
beforeEach(() => {
  directory = temporaryDirectory();
  mkdirSync(directory.at('from'));
  mkdirSync(directory.at('to'));
  fakes = fakePrograms({ ssh: `cd '${directory.at('to')}' || exit\n${RECEIVE_SCRIPT}` });
});
afterEach(() => {
  fakes[Symbol.dispose]();
  directory[Symbol.dispose]();
});

const from = (...name: readonly string[]): string => directory.at('from', ...name);
const to = (...name: readonly string[]): string => directory.at('to', ...name);

async function send(
  images: ImagesWanted = 'all',
  { stdin = '.\n', onLine }: { stdin?: string; onLine?: (line: string) => void } = {},
): Promise<CommandResult> {
  const argv = sendImagesCommand({ sshConfigFile: '/none', from: from() }, images);
  return fakes.host.run(argv, { stdin, ...(onLine && { onLine }) });
}

/** What the destination does with what it is sent. */
async function receive(stdin: string): Promise<CommandResult> {
  const receiving = ['sh', '-c', `cd "$1" || exit\n${RECEIVE_SCRIPT}`, 'sh', to()];
  return new LocalHost().run(receiving, { stdin });
}

test('memory goes into the room that was made for it, to the byte, and all else beside it', async () => {
  const pages = randomBytes(3 * 1024 ** 2 + 5);
  writeFileSync(from('pages-1.img'), pages);
  writeFileSync(from('pages-12.img'), 'little');
  writeFileSync(from('core-1.img'), 'core', { mode: 0o600 });
  symlinkSync('round-1', from('last-round'));
  writeFileSync(to('pages-1.img'), Buffer.alloc(4 * 1024 ** 2));
  writeFileSync(to('pages-2.img'), 'room that was too much');
  const { ino } = statSync(to('pages-1.img'));
  const seen: TransferProgress[] = [];
  expect(await send('all', { onLine: readStreamProgress((each) => seen.push(each)) })).toMatchObject({
    exitCode: 0,
    stderr: '',
  });
  expect(readdirSync(to()).toSorted()).toEqual(['core-1.img', 'last-round', 'pages-1.img', 'pages-12.img']);
  expect(readFileSync(to('pages-1.img')).equals(pages)).toBe(true);
  expect(statSync(to('pages-1.img')).ino).toBe(ino);
  expect(readFileSync(to('pages-12.img'), 'utf8')).toBe('little');
  expect(readFileSync(to('core-1.img'), 'utf8')).toBe('core');
  expect(statSync(to('core-1.img')).mode & 0o777).toBe(0o600);
  expect(readlinkSync(to('last-round'))).toBe('round-1');
  expect(seen.at(-1)).toMatchObject({ doneBytes: pages.length, remainingMs: undefined });
});

test('memory that came there another way stays, and so do rounds that came before', async () => {
  for (const side of ['from', 'to']) {
    mkdirSync(directory.at(side, 'round-1'));
    writeFileSync(directory.at(side, 'round-1', 'pages-1.img'), side);
  }
  writeFileSync(from('core-1.img'), 'core');
  writeFileSync(to('pages-1.img'), 'streamed');
  expect(await send('without-memory')).toMatchObject({ exitCode: 0 });
  expect(readFileSync(to('pages-1.img'), 'utf8')).toBe('streamed');
  expect(readFileSync(to('round-1', 'pages-1.img'), 'utf8')).toBe('to');
  expect(await send('without-rounds')).toMatchObject({ exitCode: 0 });
  expect(readdirSync(to()).toSorted()).toEqual(['core-1.img', 'round-1']);
});

test('memory that was sent while it was dumped is not sent again, and stays', async () => {
  writeFileSync(from('pages-1.img'), 'not read'.padEnd(2 * 1024 ** 2));
  writeFileSync(from('pages-2.img'), 'not yet sent'.padEnd(2 * 1024 ** 2));
  writeFileSync(directory.at(SENT_IMAGES), 'pages-1.img \n');
  writeFileSync(to('pages-1.img'), 'sent'.padEnd(3 * 1024 ** 2));
  writeFileSync(to('pages-3.img'), 'room that was too much');
  expect(await send()).toMatchObject({ exitCode: 0, stderr: '' });
  expect(readdirSync(to()).toSorted()).toEqual(['pages-1.img', 'pages-2.img']);
  expect(readFileSync(to('pages-1.img'), 'utf8')).toBe('sent'.padEnd(2 * 1024 ** 2));
  expect(readFileSync(to('pages-2.img'), 'utf8')).toBe('not yet sent'.padEnd(2 * 1024 ** 2));
});

test('a round comes in pieces, each in its place, in a directory of its own', async () => {
  const pieces = ['put 5 pages-7.img 0\nfirst', 'put 6 pages-7.img 5\nsecond', 'whole 11 pages-7.img\n'];
  const gone = 'put 1 pages-8.img 0\nxdrop 0 pages-8.img\n';
  expect(await receive(`in round-12\n${pieces.join('')}${gone}over\nnot read`)).toMatchObject({
    exitCode: 0,
  });
  expect(readdirSync(to('round-12'))).toEqual(['pages-7.img']);
  expect(readFileSync(to('round-12', 'pages-7.img'), 'utf8')).toBe('firstsecond');
});

test.each([
  'in ..',
  'in round-1/..',
  'in /round-1',
  'in x',
  'in',
  'put 1',
  'put x pages-1.img 0',
  'put 1 pages-1.img x',
  'what',
])('the destination takes nothing that is not known: %j', async (line) => {
  expect((await receive(`${line}\nover\n`)).exitCode).toBe(1);
  expect(readdirSync(to())).toEqual([]);
});

test('what is not told to begin sends nothing', async () => {
  writeFileSync(from('pages-1.img'), 'memory');
  writeFileSync(to('pages-1.img'), 'room');
  expect((await send('all', { stdin: '' })).exitCode).not.toBe(0);
  expect(readFileSync(to('pages-1.img'), 'utf8')).toBe('room');
});

test('an image that cannot be read is a failure, though the rest has come', async () => {
  using broken = fakePrograms({
    ssh: `cd '${directory.at('to')}' || exit\n${RECEIVE_SCRIPT}`,
    tar: `/usr/bin/tar "$@"; case $1 in -c*) echo 'tar: ./core-1.img: Cannot open' >&2; exit 2 ;; esac`,
  });
  writeFileSync(from('core-1.img'), 'core');
  const argv = sendImagesCommand({ sshConfigFile: '/none', from: from() }, 'all');
  expect(await broken.host.run(argv, { stdin: '.\n' })).toMatchObject({
    exitCode: 2,
    stderr: 'tar: ./core-1.img: Cannot open\n',
  });
});

test('a source that ends before its end, or has nothing to read, is a failure', async () => {
  rmSync(from(), { recursive: true });
  expect((await send()).exitCode).not.toBe(0);
  expect((await receive('')).exitCode).toBe(1);
  expect((await receive('put 10 pages-1.img 0\nhalf')).exitCode).toBe(1);
  expect((await receive('rest all\n')).exitCode).not.toBe(0);
});

test.each(['../x', 'pages-1/../../x', 'pages-x.img', 'core-1.img', '-x', '', 'pages-1.img'])(
  'the destination takes memory under its own names only: %j',
  async (name) => {
    const archive = new LocalHost().run(['sh', '-c', 'tar -cf - -T /dev/null | base64 -w 0']);
    const end = Buffer.from((await archive).stdout, 'base64').toString('latin1');
    const { exitCode } = await receive(`put 1 ${name} 0\nxwhole 1 ${name}\nrest all\n${end}`);
    const isGood = name === 'pages-1.img';
    expect(exitCode).toBe(isGood ? 0 : 1);
    const found = readdirSync(directory.path, { recursive: true, encoding: 'utf8' });
    expect(new Set(found)).toEqual(new Set(['from', 'to', ...(isGood ? ['to/pages-1.img'] : [])]));
  },
);

test('how far it is, is told of all files together', () => {
  const seen: TransferProgress[] = [];
  const read = readStreamProgress((each) => seen.push(each));
  for (const line of [
    'after 1000',
    '0+1 records in',
    '2097152 bytes (2.1 MB, 2.0 MiB) copied, 0.5 s, 4.2 MB/s',
    '10 bytes copied, 0.000 s, Infinity B/s',
    'x',
  ])
    read(line);
  expect(seen).toEqual([
    { doneBytes: 2098152, bytesPerSecond: 4194304, remainingMs: undefined },
    { doneBytes: 1010, bytesPerSecond: 10_000, remainingMs: undefined },
  ]);
});
