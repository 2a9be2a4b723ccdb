import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Host } from '../../src/host/host.ts';
import { LocalHost } from '../../src/host/local.ts';
import { mustRunScript } from '../../src/host/shell.ts';
import {
  STAGE_FINISH_SCRIPT,
  STAGE_PREPARE_SCRIPT,
  STAGE_SWAP_SCRIPT,
  STAGE_UNDO_SCRIPT,
  stagedFile,
  stagingArguments,
} from '../../src/transfer/staging.ts';
import { sweepLostRuns } from '../../src/transfer/sweep.ts';
import { fakePrograms } from '../helpers/fake-programs.ts';

const host = new LocalHost();
let root: string;
let run: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'criu-flow-staging-'));
  run = join(root, 'runs', 'x1');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A name with everything that a shell could trip over. */
const NASTY = "it's a $(touch x) \n *name";

const act = async (script: string, paths: readonly string[], on: Host = host): Promise<void> => {
  const files = paths.map((path) => stagedFile({ path }, 'x1'));
  await mustRunScript(on, script, [run, ...stagingArguments(files)], { what: 'Staging' });
};
const stage = (path: string, content: string): void => {
  const { staged } = stagedFile({ path }, 'x1');
  writeFileSync(staged, content);
};

test('a file takes its place, and what was there before goes when the run has ended well', async () => {
  const path = join(root, NASTY);
  writeFileSync(path, 'old');
  await act(STAGE_PREPARE_SCRIPT, [path]);
  stage(path, 'new');
  await act(STAGE_SWAP_SCRIPT, [path]);
  expect(readFileSync(path, 'utf8')).toBe('new');
  await act(STAGE_FINISH_SCRIPT, [path]);
  expect(readdirSync(root).toSorted()).toEqual([NASTY, 'runs']);
});

test('an undo puts everything back, however far it came, and may run twice', async () => {
  const [old, fresh] = [join(root, NASTY), join(root, 'deep', 'er', 'file')];
  writeFileSync(old, 'old');
  await act(STAGE_PREPARE_SCRIPT, [old, fresh]);
  stage(old, 'new');
  // The second was not copied any more: the swap fails half-way.
  await expect(act(STAGE_SWAP_SCRIPT, [old, fresh])).rejects.toMatchObject({ code: 'COMMAND_FAILED' });
  expect(readFileSync(old, 'utf8')).toBe('new');
  await act(STAGE_UNDO_SCRIPT, [old, fresh]);
  await act(STAGE_UNDO_SCRIPT, [old, fresh]);
  expect(readFileSync(old, 'utf8')).toBe('old');
  expect(readdirSync(root).toSorted()).toEqual([NASTY, 'runs']);
});

test('an undo that was cut off after it had put a file back leaves that file alone the next time', async () => {
  const path = join(root, 'file');
  writeFileSync(path, 'old');
  await act(STAGE_PREPARE_SCRIPT, [path]);
  stage(path, 'new');
  await act(STAGE_SWAP_SCRIPT, [path]);
  // As far as the undo came before the power was lost.
  const { before } = stagedFile({ path }, 'x1');
  rmSync(path);
  renameSync(before, path);
  await act(STAGE_UNDO_SCRIPT, [path]);
  expect(readFileSync(path, 'utf8')).toBe('old');
});

test.each([
  ['before anything was moved', () => undefined],
  ['between the two moves', (path: string, before: string) => renameSync(path, before)],
])('a swap that was cut off %s is undone', async (_, move) => {
  const path = join(root, 'file');
  writeFileSync(path, 'old');
  await act(STAGE_PREPARE_SCRIPT, [path]);
  stage(path, 'new');
  writeFileSync(join(run, 'swapped-1'), 'replaced\n');
  move(path, stagedFile({ path }, 'x1').before);
  await act(STAGE_UNDO_SCRIPT, [path]);
  expect(readFileSync(path, 'utf8')).toBe('old');
  expect(readdirSync(root).toSorted()).toEqual(['file', 'runs']);
});

test.each([true, false])(
  'renames are taken back after a power cut that their undo did not outlive (replaced: %s)',
  async (replaced) => {
    const path = join(root, NASTY);
    if (replaced) writeFileSync(path, 'old');
    await act(STAGE_PREPARE_SCRIPT, [path]);
    stage(path, 'new');
    await act(STAGE_SWAP_SCRIPT, [path]);
    for (const _ of ['once', 'again']) {
      await act(STAGE_UNDO_SCRIPT, [path]);
      // On another file system than the renames: this one is as it was before.
      writeFileSync(join(run, `swapped-1.${replaced ? 'replaced' : 'new'}`), '');
    }
    expect(readdirSync(root).toSorted()).toEqual(replaced ? [NASTY, 'runs'] : ['runs']);
  },
);

test('a swap that was cut off goes on where it was', async () => {
  const paths = [join(root, 'one'), join(root, NASTY)];
  await act(STAGE_PREPARE_SCRIPT, paths);
  for (const path of paths) stage(path, 'new');
  await act(STAGE_SWAP_SCRIPT, paths.slice(0, 1));
  for (const _ of ['once', 'again']) await act(STAGE_SWAP_SCRIPT, paths);
  for (const path of paths) expect(readFileSync(path, 'utf8')).toBe('new');
});

test('a symbolic link that leads nowhere is put back too', async () => {
  const path = join(root, 'link');
  symlinkSync('nowhere', path);
  await act(STAGE_PREPARE_SCRIPT, [path]);
  stage(path, 'new');
  await act(STAGE_SWAP_SCRIPT, [path]);
  expect(readFileSync(path, 'utf8')).toBe('new');
  await act(STAGE_UNDO_SCRIPT, [path]);
  expect(readlinkSync(path)).toBe('nowhere');
});

test('directories are swapped and put back whole', async () => {
  const path = join(root, 'directory');
  mkdirSync(path);
  writeFileSync(join(path, 'old'), '');
  await act(STAGE_PREPARE_SCRIPT, [path]);
  mkdirSync(stagedFile({ path }, 'x1').staged);
  await act(STAGE_SWAP_SCRIPT, [path]);
  expect(readdirSync(path)).toEqual([]);
  await act(STAGE_UNDO_SCRIPT, [path]);
  expect(readdirSync(path)).toEqual(['old']);
});

test('an undo that fails says so, and undoes the others', async () => {
  const [first, second] = [join(root, 'first'), join(root, 'second')];
  for (const path of [first, second]) writeFileSync(path, 'old');
  await act(STAGE_PREPARE_SCRIPT, [first, second]);
  for (const path of [first, second]) stage(path, 'new');
  await act(STAGE_SWAP_SCRIPT, [first, second]);
  using programs = fakePrograms({
    mv: `case $* in *first*) echo "mv: I/O error" >&2; exit 1 ;; esac; exec /bin/mv "$@"`,
  });
  await expect(act(STAGE_UNDO_SCRIPT, [first, second], programs.host)).rejects.toMatchObject({
    code: 'COMMAND_FAILED',
    evidence: 'mv: I/O error',
  });
  expect(readFileSync(second, 'utf8')).toBe('old');
  // The next undo finishes the work.
  await act(STAGE_UNDO_SCRIPT, [first, second]);
  expect(readFileSync(first, 'utf8')).toBe('old');
});

test('a directory that was there before the run stays, also when it is empty', async () => {
  mkdirSync(join(root, 'deep'));
  await act(STAGE_PREPARE_SCRIPT, [join(root, 'deep', 'er', 'file')]);
  await act(STAGE_UNDO_SCRIPT, [join(root, 'deep', 'er', 'file')]);
  expect(readdirSync(join(root, 'deep'))).toEqual([]);
});

test('a mount point is refused before anything is copied', async () => {
  await expect(act(STAGE_PREPARE_SCRIPT, ['/proc'])).rejects.toMatchObject({
    evidence: expect.stringContaining('/proc is a mount point'),
  });
});

test('what a run of an earlier boot staged is swept; a run whose criu was started is left alone', async () => {
  const path = join(root, 'file');
  await act(STAGE_PREPARE_SCRIPT, [path]);
  stage(path, 'half');
  await sweepLostRuns(host, join(root, 'runs'));
  expect(existsSync(run)).toBe(true);

  writeFileSync(join(run, 'boot'), 'an earlier one\n');
  mkdirSync(join(run, 'restore'));
  writeFileSync(join(run, 'restore', 'started'), '1\n');
  await sweepLostRuns(host, join(root, 'runs'));
  expect(existsSync(run)).toBe(true);

  rmSync(join(run, 'restore', 'started'));
  await sweepLostRuns(host, join(root, 'runs'));
  expect(readdirSync(root)).toEqual(['runs']);
  expect(readdirSync(join(root, 'runs'))).toEqual([]);
});
