import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LocalHost } from '../../src/host/local.ts';
import { mustRunScript } from '../../src/host/shell.ts';
import { readManifest, readRoundManifest, requireSameImages } from '../../src/transfer/manifest.ts';
import { reserveImages } from '../../src/transfer/reserve.ts';
import {
  stagedFile,
  stagingArguments,
  SYNC_CHANGES_FUNCTION,
  SYNC_FIRST_SCRIPT,
} from '../../src/transfer/staging.ts';
import { fakePrograms } from '../helpers/fake-programs.ts';

const host = new LocalHost();
const signal = new AbortController().signal;
let around: string;
let directory: string;
beforeEach(() => {
  // The digests are written beside the images.
  around = mkdtempSync(join(tmpdir(), 'criu-flow-manifest-'));
  directory = join(around, 'images');
  mkdirSync(directory);
  writeFileSync(join(directory, 'pages-1.img'), 'pages');
  writeFileSync(join(directory, 'core-1.img'), 'core');
});
afterEach(() => rmSync(around, { recursive: true, force: true }));

test('the same images are the same', async () => {
  const manifest = await readManifest(host, directory, signal);
  expect(manifest.split('\n')).toHaveLength(3);
  expect(() => requireSameImages(manifest, manifest, 'b')).not.toThrow();
});

test.each([
  ['one byte', () => writeFileSync(join(directory, 'pages-1.img'), 'pagez'), /\.\/pages-1\.img: SHA-256 is/],
  ['a file that is missing', () => rmSync(join(directory, 'core-1.img')), /\.\/core-1\.img: is missing/],
  ['a file too many', () => writeFileSync(join(directory, 'x.img'), ''), /\.\/x\.img: was never dumped/],
])('%s makes a difference', async (_, change, evidence) => {
  const before = await readManifest(host, directory, signal);
  change();
  const after = await readManifest(host, directory, signal);
  expect(() => requireSameImages(before, after, 'b')).toThrow(
    expect.objectContaining({
      code: 'IMAGES_CORRUPTED',
      host: 'b',
      evidence: expect.stringMatching(evidence),
    }),
  );
});

test('no images at all are never the same', () => {
  expect(() => requireSameImages('', '', 'b')).toThrow(expect.objectContaining({ code: 'IMAGES_CORRUPTED' }));
});

test('memory that was streamed is on the destination only, and has to be there', async () => {
  const arrived = await readManifest(host, directory, signal);
  rmSync(join(directory, 'pages-1.img'));
  const dumped = await readManifest(host, directory, signal);
  const streamed = { isStreamed: true };
  expect(() => requireSameImages(dumped, arrived, 'b', streamed)).not.toThrow();
  const error = expect.objectContaining({ code: 'IMAGES_CORRUPTED' });
  expect(() => requireSameImages(dumped, arrived, 'b')).toThrow(error);
  expect(() => requireSameImages(dumped, dumped, 'b', streamed)).toThrow(error);
  writeFileSync(join(directory, 'core-2.img'), 'core');
  const more = await readManifest(host, directory, signal);
  expect(() => requireSameImages(dumped, more, 'b', streamed)).toThrow(error);
});

test('of the files, what changed since their first copy is put on the disk, in its place or not', async () => {
  const files = ['moved', "still $(reboot) 's", 'a-file', 'link'].map((name) =>
    stagedFile({ path: join(around, name) }, 'x1'),
  );
  const [moved, still, file, link] = files.map(({ staged }) => staged);
  for (const each of [moved, still]) {
    mkdirSync(join(String(each), 'below'), { recursive: true });
    for (const name of ['old', 'below/new']) writeFileSync(join(String(each), name), 'x');
  }
  writeFileSync(String(file), 'x');
  symlinkSync('/nowhere', String(link));
  await mustRunScript(host, SYNC_FIRST_SCRIPT, [around, ...stagingArguments(files)], { what: 'Syncing' });
  for (const each of [moved, still]) writeFileSync(join(String(each), 'below/new'), 'y');
  renameSync(String(moved), String(files[0]?.path));
  const log = join(around, 'log');
  using programs = fakePrograms({
    sync: `for each; do echo "$PWD $each"; done >> '${log}'; exec /bin/sync "$@"`,
  });
  await readManifest(programs.host, directory, signal, { files, mark: 'synced' });
  expect(existsSync(join(around, 'synced'))).toBe(true);
  const synced = readFileSync(log, 'utf8');
  expect(synced).toContain(`${files[0]?.path} ./below/new\n`);
  expect(synced).toContain(`${still} ./below/new\n`);
  expect(synced).toContain(`${file}\n`);
  expect(synced).not.toMatch(/old|nowhere/);
});

test('a directory that takes its place while it is looked at is synced there', async () => {
  const file = stagedFile({ path: join(around, 'data') }, 'x1');
  mkdirSync(file.staged);
  writeFileSync(join(file.staged, 'new'), 'x');
  const log = join(around, 'log');
  using programs = fakePrograms({ sync: `echo "$PWD $*" >> '${log}'` });
  // Between the look and the entry the restore puts the files into their place.
  const script = `
    cd() { [ ! -d '${file.staged}' ] || mv '${file.staged}' '${file.path}'; command cd "$@"; }
    ${SYNC_CHANGES_FUNCTION}
    sync_changes "$@"`;
  await mustRunScript(programs.host, script, [around, ...stagingArguments([file])], { what: 'Syncing' });
  expect(readFileSync(log, 'utf8')).toContain(`${file.path} . ./new`);
});

test('a round that was copied before has its digests, which are not made again', async () => {
  mkdirSync(join(directory, 'round-1'));
  const pages = join(directory, 'round-1', 'pages-1.img');
  writeFileSync(pages, 'all pages');
  symlinkSync('round-1', join(directory, 'last-round'));
  const round = await readRoundManifest(host, directory, 'round-1', signal);
  expect(round).toMatch(/^[0-9a-f]{64} {2}\.\/round-1\/pages-1\.img\n$/);
  // In the pause nobody reads it.
  writeFileSync(pages, 'changed');
  const manifest = await readManifest(host, directory, signal);
  expect(manifest.split('\n').filter((line) => line !== '')).toHaveLength(3);
  expect(manifest).toContain(round);
  // Who has the images and not what is beside them reads all, as of images that were kept.
  rmSync(join(around, 'round-1.sha256'));
  const whole = await readManifest(host, directory, signal);
  expect(() => requireSameImages(manifest, whole, 'b')).toThrow(
    expect.objectContaining({ evidence: expect.stringContaining('./round-1/pages-1.img: SHA-256 is') }),
  );
  writeFileSync(pages, 'all pages');
  expect(await readManifest(host, directory, signal)).toBe(manifest);
  writeFileSync(pages, 'changed');
  // Whoever restores from them a second time does, too.
  const check = ['sh', '-c', 'cd "$1" && sha256sum --check --quiet "$1.sha256"', 'sh', directory];
  expect(await host.run(check)).toMatchObject({ exitCode: 1 });
  writeFileSync(pages, 'all pages');
  expect(await host.run(check)).toMatchObject({ exitCode: 0 });
});

test('digests are beside the images, also where these are elsewhere by a link', async () => {
  const link = `${directory}-link`;
  symlinkSync(directory, link);
  try {
    const manifest = await readManifest(host, link, signal);
    expect(readFileSync(`${link}.sha256`, 'utf8')).toBe(manifest);
  } finally {
    rmSync(link);
    rmSync(`${link}.sha256`);
  }
});

test('there is room for the images, or a reason why not', async () => {
  await reserveImages(host, join(directory, 'images'), [4096, 0, 100]);
  const sizes = await host.run([
    'stat',
    '-c',
    '%n %s %a',
    `${directory}/images/pages-1.img`,
    `${directory}/images/pages-3.img`,
  ]);
  expect(sizes.stdout).toMatch(/pages-1.img 4096 600\n.*pages-3.img 100 600\n/);
  await expect(reserveImages(host, join(directory, 'images'), [2 ** 62])).rejects.toMatchObject({
    code: 'TRANSFER_FAILED',
    hint: expect.stringContaining('Free some space'),
  });
});
