import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { COMPARE_PROGRAM } from '../../src/criu/compare-script.ts';
import { LocalHost } from '../../src/host/local.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const PAGE = 4096;
const [PARENT, PRESENT] = [1, 4];
const host = new LocalHost();
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** Perl with 8 MiB, of which it writes to a page by chance for each line that it is told. */
async function start(): Promise<{
  readonly pid: number;
  readonly task: string;
  readonly write: (pages: number) => Promise<void>;
}> {
  const program = `
$| = 1;
my $memory = 'word' x (2 * 2 ** 20);
print "ready\\n";
while (my $pages = <STDIN>) {
  for (1 .. $pages) { substr $memory, 4096 * int(rand 2048) + int(rand 4096), 1, chr(33 + int(rand 90)) }
  print "written\\n";
}`;
  const child = spawn('perl', ['-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  ends.push(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const { pid = 0 } = child;
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const startTicks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  const write = async (pages: number): Promise<void> => {
    child.stdin.write(`${pages}\n`);
    await once(child.stdout, 'data');
  };
  return { pid, task: `${pid}:${startTicks}`, write };
}

interface Entry {
  readonly page: number;
  readonly count: number;
  readonly flags: number;
}

/** @see CRIU's images/pagemap.proto */
function readPagemap(file: string): readonly Entry[] {
  const data = readFileSync(file);
  const entries: Entry[] = [];
  for (let at = 8, isHead = true; at < data.length; isHead = false) {
    const end = at + 4 + data.readUInt32LE(at);
    at += 4;
    const fields = new Map<number, number>();
    while (at < end) {
      const field = (data[at++] ?? 0) >> 3;
      let value = 0;
      for (let factor = 1; ; factor *= 128) {
        const byte = data[at++] ?? 0;
        value += (byte & 127) * factor;
        if (byte < 128) break;
      }
      fields.set(field, value);
    }
    if (isHead) continue;
    expect(fields.get(5)).toBe(fields.get(2));
    entries.push({ page: (fields.get(1) ?? 0) / PAGE, count: fields.get(2) ?? 0, flags: fields.get(4) ?? 0 });
  }
  return entries;
}

/** The memory of a process as criu would read it from images, by the numbers of the pages. */
function readMemory(directory: string, pid: number): ReadonlyMap<number, Buffer> {
  const pages = readFileSync(`${directory}/pages-${pid}.img`);
  const parent = existsSync(`${directory}/parent`)
    ? readMemory(`${directory}/parent`, pid)
    : new Map<number, Buffer>();
  const memory = new Map<number, Buffer>();
  let place = 0;
  for (const { page, count, flags } of readPagemap(`${directory}/pagemap-${pid}.img`)) {
    expect([PRESENT, PARENT]).toContain(flags);
    for (let index = 0; index < count; index++) {
      const own = flags === PRESENT ? pages.subarray(place * PAGE, ++place * PAGE) : parent.get(page + index);
      if (own === undefined) throw new Error(`page ${page + index} is not in the parent of ${directory}`);
      memory.set(page + index, own);
    }
  }
  expect(place * PAGE).toBe(pages.length);
  return memory;
}

async function compare(...args: readonly string[]): Promise<number> {
  const { exitCode, stdout, stderr } = await host.run(['perl', '-e', COMPARE_PROGRAM, ...args]);
  expect(exitCode, stderr).toBe(0);
  return Number(stdout);
}

test('rounds, and a dump without what they have, are the memory at the time of the dump', async () => {
  using directory = temporaryDirectory();
  const [images, memory, full] = ['images', 'memory', 'full'].map((name) => directory.at(name));
  for (const name of ['images', 'memory', 'full', 'none', 'hold']) mkdirSync(directory.at(name));
  const { pid, task, write } = await start();
  const sizes: number[] = [];
  for (const number of ['1', '2', '3']) {
    mkdirSync(`${images}/round-${number}`);
    sizes.push(await compare('round', images ?? '', memory ?? '', number, task));
    await write(20);
  }
  const [first = 0, second = 0, third = 0] = sizes;
  expect(first).toBeGreaterThan(8 * 1024 ** 2);
  for (const size of [second, third]) {
    expect(size).toBeGreaterThan(0);
    expect(size).toBeLessThan(first / 10);
  }
  // As criu would write it.
  mkdirSync(`${full}/round-1`);
  process.kill(pid, 'SIGSTOP');
  await compare('round', full ?? '', directory.at('none'), '1', task);
  for (const name of [`pagemap-${pid}.img`, `pages-${pid}.img`])
    cpSync(`${full}/round-1/${name}`, `${images}/${name}`);
  writeFileSync(`${images}/pagemap-shmem-1.img`, 'not of a process');
  symlinkSync('round-3', `${images}/last-round`);
  const whole = readMemory(`${full}/round-1`, pid);
  const run = 'cd "$1" && shift && exec perl -e "$@"';
  const made = await host.run([
    'sh',
    '-c',
    run,
    'sh',
    directory.at('hold'),
    COMPARE_PROGRAM,
    'dump',
    images ?? '',
    memory ?? '',
  ]);
  expect(made.exitCode, made.stderr).toBe(0);
  expect(statSync(`${images}/pages-${pid}.img`).size).toBe(Number(made.stdout));
  expect(Number(made.stdout)).toBeLessThan(first / 10);
  expect(readlinkSync(`${images}/parent`)).toBe('last-round');
  const now = readMemory(images ?? '', pid);
  expect([...now.keys()]).toEqual([...whole.keys()]);
  expect([...whole].filter(([page, data]) => now.get(page)?.equals(data) !== true)).toEqual([]);
  expect(readFileSync(`${images}/pagemap-shmem-1.img`, 'utf8')).toBe('not of a process');
  expect(readdirSync(directory.at('hold'))).toEqual([]);
  expect(readdirSync(images ?? '').filter((name) => name.endsWith('.new'))).toEqual([]);
});

test('a process that has ended, or whose pid is another’s, has nothing', async () => {
  using directory = temporaryDirectory();
  for (const name of ['images/round-1', 'memory']) mkdirSync(directory.at(name), { recursive: true });
  const { pid } = await start();
  expect(await compare('round', directory.at('images'), directory.at('memory'), '1', `${pid}:1`)).toBe(0);
  expect(readdirSync(directory.at('images', 'round-1'))).toEqual([]);
});

test('one that has ended since the last round is not looked up in that', async () => {
  using directory = temporaryDirectory();
  for (const name of ['images/round-1', 'images/round-2', 'memory'])
    mkdirSync(directory.at(name), { recursive: true });
  const [images, memory] = [directory.at('images'), directory.at('memory')];
  const { pid, task } = await start();
  await compare('round', images, memory, '1', task);
  expect(readdirSync(memory)).toEqual([`latest-${pid}`]);
  await compare('round', images, memory, '2', `${pid}:1`);
  expect(readdirSync(memory)).toEqual([]);
});

test('one that is another than in the last round, though it has its pid, stays as it was dumped', async () => {
  using directory = temporaryDirectory();
  for (const name of ['images/round-1', 'images/round-2', 'memory'])
    mkdirSync(directory.at(name), { recursive: true });
  const [images, memory] = [directory.at('images'), directory.at('memory')];
  const { pid, task } = await start();
  await compare('round', images, memory, '1', task);
  const known = readFileSync(`${memory}/latest-${pid}`);
  await compare('round', images, memory, '2');
  writeFileSync(`${memory}/latest-${pid}`, known);
  for (const name of [`pagemap-${pid}.img`, `pages-${pid}.img`])
    cpSync(`${images}/round-1/${name}`, `${images}/${name}`);
  symlinkSync('round-2', `${images}/last-round`);
  expect(await compare('dump', images, memory)).toBe(0);
  expect(readFileSync(`${images}/pages-${pid}.img`).length).toBeGreaterThan(8 * 1024 ** 2);
});

test('images that are not as long as they say stay as they are', async () => {
  using directory = temporaryDirectory();
  for (const name of ['images/round-1', 'memory']) mkdirSync(directory.at(name), { recursive: true });
  const images = directory.at('images');
  const { pid, task } = await start();
  await compare('round', images, directory.at('memory'), '1', task);
  for (const name of [`pagemap-${pid}.img`, `pages-${pid}.img`])
    cpSync(`${images}/round-1/${name}`, `${images}/${name}`);
  symlinkSync('round-1', `${images}/last-round`);
  writeFileSync(`${images}/pages-${pid}.img`, 'short');
  const { exitCode, stderr } = await host.run([
    'perl',
    '-e',
    COMPARE_PROGRAM,
    'dump',
    images,
    directory.at('memory'),
  ]);
  expect(exitCode).toBe(255);
  expect(stderr).toContain('is not as long as its pages');
  expect(readdirSync(images).toSorted()).toEqual([
    'last-round',
    `pagemap-${pid}.img`,
    `pages-${pid}.img`,
    'round-1',
  ]);
});
