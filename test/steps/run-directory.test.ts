import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { beforeEach, afterEach, expect, test } from 'vitest';
import { LocalHost } from '../../src/host/local.ts';
import { mustRunScript } from '../../src/host/shell.ts';
import { REMOVE_RUN_DIRECTORY_SCRIPT } from '../../src/steps/run-directory.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

const host = new LocalHost();
let directory: TemporaryDirectory;
beforeEach(() => {
  directory = temporaryDirectory();
  mkdirSync(directory.at('run', 'dump', 'process'), { recursive: true });
  mkdirSync(directory.at('run', 'images'));
  writeFileSync(directory.at('run', 'images', 'pages-1.img'), 'memory');
});
afterEach(() => directory[Symbol.dispose]());

const remove = async (keepImages: '' | '1'): Promise<unknown> =>
  mustRunScript(host, REMOVE_RUN_DIRECTORY_SCRIPT, [directory.at('run'), keepImages], { what: 'Removing' });

test('all of it goes, and the parent that is empty then; a second time changes nothing', async () => {
  await remove('');
  expect(existsSync(directory.path)).toBe(false);
  await remove('');
});

test('the images stay when they are asked for', async () => {
  writeFileSync(directory.at('other-run'), '');
  await remove('1');
  expect(readdirSync(directory.path).toSorted()).toEqual(['other-run', 'run']);
  expect(readdirSync(directory.at('run'))).toEqual(['images']);
});

test('images that both hosts share go with it, and must be seen to be there', async () => {
  const [run, place] = [directory.at('run'), directory.at('shared', 'place')];
  rmSync(directory.at('run', 'images'), { recursive: true });
  symlinkSync(`${place}/images`, directory.at('run', 'images'));
  const removeShared = (): Promise<unknown> =>
    mustRunScript(host, REMOVE_RUN_DIRECTORY_SCRIPT, [run, '', place], { what: 'Removing' });
  // As if it was not mounted.
  await expect(removeShared()).rejects.toMatchObject({
    code: 'COMMAND_FAILED',
    evidence: expect.stringContaining('is the shared file system mounted?'),
  });
  expect(existsSync(run)).toBe(true);
  mkdirSync(`${place}/images`, { recursive: true });
  writeFileSync(`${place}/probe`, 'x');
  await removeShared();
  expect(readdirSync(directory.path)).toEqual(['shared']);
  expect(readdirSync(directory.at('shared'))).toEqual([]);
  await removeShared();
});

test('what the one who watches over criu still has to write is waited for', async () => {
  // It writes once our input to it ends, after the removal has begun, and lets go of its lock then.
  const process = directory.at('run', 'dump', 'process');
  const watcher = spawn('sh', [
    '-c',
    'cd "$1" && exec 9> lock && flock 9 && echo && cat && : > status',
    '-',
    process,
  ]);
  await once(watcher.stdout, 'data');
  const removed = remove('');
  const isWaiting = async (): Promise<boolean> =>
    (await host.run(['pgrep', '-f', `flock -s -w 5 ${process}/lock`])).exitCode === 0;
  await expect.poll(isWaiting, { timeout: 4000 }).toBe(true);
  watcher.stdin.end();
  await removed;
  expect(existsSync(directory.at('run'))).toBe(false);
});
