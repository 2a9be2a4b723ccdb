import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CommandResult } from '../../src/host/host.ts';
import { LocalHost } from '../../src/host/local.ts';
import { runScript } from '../../src/host/shell.ts';
import { guardedHost } from '../../src/lock/guarded-host.ts';
import { LIST_SCRIPT, LOCK_SCRIPT, UNLOCK_SCRIPT } from '../../src/lock/lock-scripts.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

const host = new LocalHost();
let directory: TemporaryDirectory;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory[Symbol.dispose]());

const locks = (): string => directory.at('criu-flow', 'locks');
const lock = (run: string, epoch: number, ...pids: readonly number[]): Promise<CommandResult> =>
  runScript(host, LOCK_SCRIPT, [locks(), run, String(epoch), `{"holder":"${run}"}`, ...pids.map(String)]);
const unlock = (run: string, epoch = ''): Promise<CommandResult> =>
  runScript(host, UNLOCK_SCRIPT, [locks(), run, epoch]);
const epochOf = (run: string): string => readFileSync(`${locks()}/${run}`, 'utf8').split('\n')[0] ?? '';

test('takes the pids of a workload, and says which boot it is', async () => {
  const taken = await lock('r1', 1, 10, 11);
  expect(taken).toMatchObject({ exitCode: 0, stderr: '' });
  expect(taken.stdout).toBe((await lock('r1', 2, 10, 11)).stdout);
  expect(taken.stdout.trim()).toMatch(/^[0-9a-f-]{36} \d+$/);
  expect(readdirSync(locks()).toSorted()).toEqual(['pid-10', 'pid-11', 'r1']);
  expect(readlinkSync(`${locks()}/pid-10`)).toBe('r1');
});

test('another run that wants one of them is told who has it, and takes none', async () => {
  await lock('r1', 1, 10, 11);
  expect(await lock('r2', 1, 12, 11)).toMatchObject({
    exitCode: 3,
    stdout: expect.stringMatching(/^r1\n1\n.*\n\{"holder":"r1"\}\n$/),
  });
  expect(readdirSync(locks())).not.toContain('r2');
  expect(readdirSync(locks())).not.toContain('pid-12');
  expect(await lock('r2', 1, 12)).toMatchObject({ exitCode: 0 });
});

test.each([1, 2])('the epoch %i is not taken again from epoch 2, a higher one is', async (epoch) => {
  await lock('r1', 2, 10);
  expect(await lock('r1', epoch, 10)).toMatchObject({
    exitCode: 4,
    stdout: expect.stringMatching(/^r1\n2\n/),
  });
  expect(await lock('r1', 3, 10)).toMatchObject({ exitCode: 0 });
  expect(epochOf('r1')).toBe('3');
});

test('of many who want the same pid in one moment, one gets it', async () => {
  const results = await Promise.all(Array.from({ length: 8 }, (_, index) => lock(`r${index}`, 1, 10)));
  expect(results.map(({ exitCode }) => exitCode).toSorted((a, b) => a - b)).toEqual([0, 3, 3, 3, 3, 3, 3, 3]);
});

test('what is of an earlier boot stands for nothing', async () => {
  await lock('r1', 1, 10);
  writeFileSync(`${locks()}/r1`, '1\nan-earlier-boot 1\n{}\n');
  expect((await runScript(host, LIST_SCRIPT, [locks()])).stdout).toBe('r1\n10 \n1\nearlier\n{}\n');
  expect(await lock('r2', 1, 10)).toMatchObject({ exitCode: 0 });
  expect(readdirSync(locks()).toSorted()).toEqual(['pid-10', 'r2']);
});

test('is given up by who has that epoch, or by anybody who names none; twice is no mistake', async () => {
  await lock('r1', 2, 10);
  expect(await unlock('r1', '1')).toMatchObject({ exitCode: 0 });
  expect(epochOf('r1')).toBe('2');
  expect(await unlock('r1', '2')).toMatchObject({ exitCode: 0 });
  expect(existsSync(locks())).toBe(false);
  await lock('r1', 3, 10);
  for (const _ of ['once', 'again']) expect(await unlock('r1')).toMatchObject({ exitCode: 0 });
  expect(existsSync(locks())).toBe(false);
});

test('one that a power cut left half-written goes away with it', async () => {
  await lock('r1', 1, 10);
  writeFileSync(`${locks()}/r1.new`, '');
  expect(await unlock('r1')).toMatchObject({ exitCode: 0 });
  expect(existsSync(locks())).toBe(false);
});

test('a run id and a holder are data, whatever they hold', async () => {
  const holder = `{"a":"$(touch ${directory.at('bad')}) ' \\" ; rm -rf /"}`;
  const taken = await runScript(host, LOCK_SCRIPT, [locks(), 'r1', '1', holder, '10']);
  expect(taken).toMatchObject({ exitCode: 0 });
  expect((await runScript(host, LIST_SCRIPT, [locks()])).stdout).toBe(`r1\n10 \n1\nsame\n${holder}\n`);
  expect(existsSync(directory.at('bad'))).toBe(false);
});

test('on a guarded host a command is what it is, until the epoch is over', async () => {
  await lock('r1', 1, 10);
  const guarded = guardedHost(host, `${locks()}/r1`, 1);
  const command = ['sh', '-c', 'cat; echo err >&2; exit 75', 'sh'];
  expect(await guarded.run(command, { stdin: 'in' })).toMatchObject({
    exitCode: 75,
    stdout: 'in',
    stderr: 'err\n',
  });
  await lock('r1', 2, 10);
  const touch = guarded.run(['touch', directory.at('late')]);
  await expect(touch).rejects.toMatchObject({ code: 'SUPERSEDED' });
  await unlock('r1');
  await expect(guarded.run(['touch', directory.at('late')])).rejects.toMatchObject({ code: 'SUPERSEDED' });
  expect(existsSync(directory.at('late'))).toBe(false);
});
