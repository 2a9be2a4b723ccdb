import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  KEEP_SCRIPT,
  MARK_MOVED_SCRIPT,
  READ_SCRIPT,
  TAKE_SCRIPT,
  TWINS_SCRIPT,
} from '../../src/checkpoint/store-scripts.ts';
import { LocalHost } from '../../src/host/local.ts';
import { mustRunScript } from '../../src/host/shell.ts';
import { startProgram } from '../helpers/started-program.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

const host = new LocalHost();
/** The root process of what is kept, and its start time. */
const ROOT = '4711 17';
let directory: TemporaryDirectory;
let series: string;

beforeEach(() => {
  directory = temporaryDirectory();
  series = directory.at('a series');
});
afterEach(() => directory[Symbol.dispose]());

/** A run that has dumped, and keeps it. */
async function keep(most = 10, age = '', lengthOf = (text: string) => text.length): Promise<string> {
  const run = directory.at(`run-${Math.random()}`);
  mkdirSync(`${run}/images`, { recursive: true });
  mkdirSync(`${run}/files/1`, { recursive: true });
  writeFileSync(`${run}/images/pages-1.img`, run);
  writeFileSync(`${run}/images.sha256`, `0000  ./pages-1.img\n`);
  writeFileSync(`${run}/files/1/numbers`, '1\n');
  const record = JSON.stringify({ run });
  const { stdout } = await mustRunScript(
    host,
    KEEP_SCRIPT,
    [series, run, String(most), age, ROOT, String(lengthOf(record))],
    { what: 'Keeping', stdin: record },
  );
  return stdout.trim();
}

const read = (id: string): ReturnType<typeof mustRunScript> =>
  mustRunScript(host, READ_SCRIPT, [series, id], { what: 'Reading', allow: [3] });

const there = (): readonly string[] =>
  readdirSync(series)
    .filter((name) => /^\d+$/.test(name))
    .toSorted((a, b) => Number(a) - Number(b));

describe('a series', () => {
  test('numbers its checkpoints, and has as many as it may', async () => {
    const told = [];
    for (let count = 0; count < 12; count++) told.push(await keep(3));
    // By number, not by name: 10 is after 9.
    expect(told.slice(-3)).toEqual(['10 3 1', '11 3 1', '12 3 1']);
    expect(there()).toEqual(['10', '11', '12']);
    expect(readFileSync(`${series}/12/files/1/numbers`, 'utf8')).toBe('1\n');
  });

  test('never uses a number again, whatever was removed by hand', async () => {
    for (let count = 0; count < 3; count++) await keep();
    rmSync(`${series}/3`, { recursive: true });
    expect(await keep()).toMatch(/^4 /);
    rmSync(`${series}/last`, { recursive: true });
    expect(await keep()).toMatch(/^5 /);
  });

  test('removes those that are older than they may be, but never the one just kept', async () => {
    await keep();
    await keep();
    const [old, now] = [Date.now() / 1000 - 100, Date.now() / 1000];
    utimesSync(`${series}/1/checkpoint.json`, old, old);
    utimesSync(`${series}/2/checkpoint.json`, now, now);
    expect(await keep(10, '50')).toBe('3 2 1');
    expect(there()).toEqual(['2', '3']);
    expect(await keep(1, '0')).toMatch(/^4 1 /);
  });

  test('has no half of a checkpoint: what was cut off is removed by the next one', async () => {
    await keep();
    // One that was being made, and one that was being removed.
    mkdirSync(`${series}/new/images`, { recursive: true });
    mkdirSync(`${series}/2/images`, { recursive: true });
    expect((await read('latest')).stdout).toMatch(/^1 here /);
    expect(await keep()).toMatch(/^3 2 1$/);
    expect(there()).toEqual(['1', '3']);
    expect(existsSync(`${series}/new`)).toBe(false);
  });

  test('has none whose record was cut off on the way, and loses no other for it', async () => {
    await keep(1);
    await expect(keep(1, '', (text) => text.length + 1)).rejects.toMatchObject({
      evidence: expect.stringContaining('the record did not come to its end'),
    });
    expect(readdirSync(series).toSorted()).toEqual(['1', 'last', 'lock']);
    writeFileSync(`${series}/last`, '');
    expect(await keep(1)).toBe('2 1 1');
  });

  test('is private', async () => {
    await keep();
    const modes = await host.run(['stat', '-c', '%a', series, `${series}/1`, `${series}/1/checkpoint.json`]);
    expect(modes.stdout).toBe('700\n700\n600\n');
  });
});

describe('a checkpoint', () => {
  test('is read by its number, or as the latest; one that is not there has the others named', async () => {
    await keep();
    await keep();
    expect((await read('1')).stdout).toMatch(/^1 here same unsure\n\n\{/);
    expect((await read('latest')).stdout).toMatch(/^2 here same unsure\n\n\{/);
    expect(await read('7')).toMatchObject({ exitCode: 3, stdout: '1 2 ' });
    rmSync(series, { recursive: true });
    expect(await read('latest')).toMatchObject({ exitCode: 3, stdout: '' });
  });

  test('of another machine, or of another boot, is told from one of this', async () => {
    await keep();
    const [machine = '', boot = '', root = ''] = readFileSync(`${series}/1/origin`, 'utf8').split('\n');
    expect(root).toBe(ROOT);
    writeFileSync(`${series}/1/origin`, `${machine}\nanother boot\n${root}\n`);
    expect((await read('1')).stdout).toMatch(/^1 here earlier unsure\n/);
    writeFileSync(`${series}/1/origin`, `another machine\n${boot}\n${root}\n`);
    writeFileSync(`${series}/1/has-ended`, '');
    expect((await read('1')).stdout).toMatch(/^1 elsewhere same ended\n/);
  });

  test('says where its workload has moved to, and only its own', async () => {
    await keep();
    const mark = (root: string): ReturnType<typeof mustRunScript> =>
      mustRunScript(host, MARK_MOVED_SCRIPT, [directory.path, root, 'root@b'], { what: 'Marking' });
    await mark('4711 18');
    expect((await read('1')).stdout).toMatch(/^1 here same unsure\n\n\{/);
    await mark(ROOT);
    expect((await read('1')).stdout).toMatch(/^1 here same unsure\nroot@b\n\{/);
    await mustRunScript(host, MARK_MOVED_SCRIPT, [directory.at('none'), ROOT, 'b'], { what: 'Marking' });
  });

  test('that is removed while it is taken is not taken', async () => {
    await keep();
    rmSync(`${series}/1/checkpoint.json`);
    await expect(
      mustRunScript(host, TAKE_SCRIPT, [`${series}/1`, directory.at('restore')], { what: 'Taking' }),
    ).rejects.toMatchObject({ evidence: expect.stringContaining('was removed meanwhile') });
  });

  test('stays as it is when its images are taken, and they are taken anew each time', async () => {
    await keep();
    const before = readFileSync(`${series}/1/images/pages-1.img`, 'utf8');
    const run = directory.at('restore');
    mkdirSync(`${run}/images`, { recursive: true });
    writeFileSync(`${run}/images/left-over.img`, '');
    for (const _ of [1, 2]) {
      const taken = await mustRunScript(host, TAKE_SCRIPT, [`${series}/1`, run], { what: 'Taking' });
      expect(taken.stdout).toBe('0000  ./pages-1.img\n');
      expect(readdirSync(`${run}/images`)).toEqual(['pages-1.img']);
    }
    expect(readFileSync(`${series}/1/images/pages-1.img`, 'utf8')).toBe(before);
  });
});

test('a twin has the same program and the same arguments', async () => {
  const program = directory.at('program');
  copyFileSync('/bin/cat', program);
  await using one = await startProgram(program, '-', '-');
  await using _other = await startProgram(program, '-');
  const twins = async (command: string): Promise<string> =>
    (await mustRunScript(host, TWINS_SCRIPT, [program, command], { what: 'Looking' })).stdout;
  expect(await twins(`${program} - -`)).toBe(`${one.pid}\n`);
  expect(await twins(program)).toBe('');
});
