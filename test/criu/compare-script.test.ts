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
import { afterEach, describe, expect, test } from 'vitest';
import { COMPARE_PROGRAM } from '../../src/criu/compare-script.ts';
import type { CommandResult } from '../../src/host/host.ts';
import { LocalHost } from '../../src/host/local.ts';
import { RECEIVE_SCRIPT, SENT_IMAGES } from '../../src/transfer/image-stream.ts';
import { fakePrograms } from '../helpers/fake-programs.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const PAGE = 4096;
const [PARENT, LAZY, PRESENT] = [1, 2, 4];
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
    expect([PRESENT, PRESENT | LAZY, PARENT]).toContain(flags);
    for (let index = 0; index < count; index++) {
      const own = flags !== PARENT ? pages.subarray(place * PAGE, ++place * PAGE) : parent.get(page + index);
      if (own === undefined) throw new Error(`page ${page + index} is not in the parent of ${directory}`);
      memory.set(page + index, own);
    }
  }
  expect(place * PAGE).toBe(pages.length);
  return memory;
}

/** What stands in for criu: it sends what it is told to the page server whose socket it is given, and prints what that says. */
const CRIU = String.raw`
use strict;
# As criu does.
$SIG{PIPE} = 'IGNORE';
my ($layout, $from, @args) = @ARGV;
print "$args[0] $args[1]\n";
open my $server, '+<&=', $args[2] or die "$!\n";
my $send = sub { my $data = shift; while (length $data) { my $sent = syswrite $server, $data or exit 3; substr $data, 0, $sent, '' } };
my $hear = sub { my $data = ''; while (length $data < $_[0]) { sysread $server, $data, $_[0] - length $data, length $data or exit 3 } $data };
my %command = (open => 4, add => 6, close => 0x1024);
open my $what, '<', "$from/what" or die "$!\n";
while (<$what>) {
  my ($name, $flags, $count, $page, $of, $file, $place) = split;
  my $command = ($command{$name} // $name) | $flags << 16;
  $send->(pack $layout eq 'old' ? 'L<L<Q<Q<' : 'L<x4Q<Q<Q<', $command, $count, $page * 4096, $of);
  print unpack('C', $hear->(1)), "\n" if $name eq 'open';
  print unpack('l<', $hear->(4)), "\n" if $name eq 'close';
  next unless $name eq 'add';
  open my $pages, '<:raw', "$from/$file" or die "$file: $!\n";
  seek $pages, $place * 4096, 0;
  read $pages, my $data, $count * 4096;
  $send->($data);
}
`;

/** What criu sends of a process, whose memory is in images of it. @param flags of its pages */
function sent(directory: string, pid: number, flags: number): string[] {
  let place = 0;
  const adds = readPagemap(`${directory}/pagemap-${pid}.img`).map(({ page, count }) => {
    const line = `add ${flags} ${count} ${page} ${pid * 256 + 1} pages-${pid}.img ${place}`;
    place += count;
    return line;
  });
  return [`open 0 0 0 ${pid * 256 + 1}`, ...adds];
}

async function dump(
  images: string,
  memory: string,
  { from, what, layout = 'new' }: { from: string; what: readonly string[]; layout?: 'old' | 'new' },
): Promise<CommandResult> {
  writeFileSync(`${from}/what`, what.map((line) => `${line}\n`).join(''));
  const criu = ['perl', '-e', CRIU, '--', layout, from];
  return host.run(['perl', '-e', COMPARE_PROGRAM, 'dump', images, memory, '', ...criu]);
}

async function compare(...args: readonly string[]): Promise<number> {
  const { exitCode, stdout, stderr } = await host.run(['perl', '-e', COMPARE_PROGRAM, ...args]);
  expect(exitCode, stderr).toBe(0);
  return Number(stdout);
}

test.each(['new', 'old'] as const)(
  'rounds, and a dump of what they lack, by the %s protocol, are the memory at the time of the dump',
  async (layout) => {
    using directory = temporaryDirectory();
    const [images, memory, full] = [directory.at('images'), directory.at('memory'), directory.at('full')];
    for (const name of ['images', 'memory', 'full', 'none']) mkdirSync(directory.at(name));
    const { pid, task, write } = await start();
    const sizes: number[] = [];
    for (const number of ['1', '2', '3']) {
      mkdirSync(`${images}/round-${number}`);
      sizes.push(await compare('round', images, memory, '', number, task));
      await write(20);
    }
    const [first = 0, second = 0, third = 0] = sizes;
    expect(first).toBeGreaterThan(8 * 1024 ** 2);
    for (const size of [second, third]) {
      expect(size).toBeGreaterThan(0);
      expect(size).toBeLessThan(first / 10);
    }
    // As criu would dump it.
    mkdirSync(`${full}/round-1`);
    process.kill(pid, 'SIGSTOP');
    await compare('round', full, directory.at('none'), '', '1', task);
    symlinkSync('round-3', `${images}/last-round`);
    const from = `${full}/round-1`;
    writeFileSync(`${from}/shared`, 'shared'.padEnd(2 * PAGE, '-'));
    const shared = ['open 0 0 0 258', `add ${PRESENT} 2 16 258 shared 0`];
    const what = [...shared, ...sent(from, pid, PRESENT | LAZY), 'close 0 0 0 0'];
    const made = await dump(images, memory, { from, what, layout });
    expect(made).toMatchObject({ exitCode: 0, stderr: '', stdout: '--page-server --ps-socket\n0\n0\n0\n' });
    expect(statSync(`${images}/pages-2.img`).size).toBeLessThan(first / 10);
    expect(readlinkSync(`${images}/parent`)).toBe('last-round');
    const whole = readMemory(from, pid);
    cpSync(`${images}/pages-2.img`, `${images}/pages-${pid}.img`);
    const now = readMemory(images, pid);
    expect([...now.keys()]).toEqual([...whole.keys()]);
    expect([...whole].filter(([page, data]) => now.get(page)?.equals(data) !== true)).toEqual([]);
    // Shared memory is nobody's, and has been in no round.
    expect(readPagemap(`${images}/pagemap-shmem-1.img`)).toEqual([{ page: 16, count: 2, flags: PRESENT }]);
    expect(readFileSync(`${images}/pages-1.img`).equals(readFileSync(`${from}/shared`))).toBe(true);
    expect(readdirSync(memory).toSorted()).toEqual([`latest-${pid}`, 'page-server']);
  },
);

test('a process that has ended, or whose pid is another’s, has nothing', async () => {
  using directory = temporaryDirectory();
  for (const name of ['images/round-1', 'memory']) mkdirSync(directory.at(name), { recursive: true });
  const { pid } = await start();
  expect(await compare('round', directory.at('images'), directory.at('memory'), '', '1', `${pid}:1`)).toBe(0);
  expect(readdirSync(directory.at('images', 'round-1'))).toEqual([]);
});

test('one that has ended since the last round is not looked up in that', async () => {
  using directory = temporaryDirectory();
  for (const name of ['images/round-1', 'images/round-2', 'memory'])
    mkdirSync(directory.at(name), { recursive: true });
  const [images, memory] = [directory.at('images'), directory.at('memory')];
  const { pid, task } = await start();
  await compare('round', images, memory, '', '1', task);
  expect(readdirSync(memory)).toEqual([`latest-${pid}`]);
  await compare('round', images, memory, '', '2', `${pid}:1`);
  expect(readdirSync(memory)).toEqual([]);
});

test('of one that is another than in the last round, though it has its pid, all is written', async () => {
  using directory = temporaryDirectory();
  for (const name of ['images/round-1', 'images/round-2', 'memory'])
    mkdirSync(directory.at(name), { recursive: true });
  const [images, memory] = [directory.at('images'), directory.at('memory')];
  const { pid, task } = await start();
  await compare('round', images, memory, '', '1', task);
  const known = readFileSync(`${memory}/latest-${pid}`);
  await compare('round', images, memory, '', '2');
  writeFileSync(`${memory}/latest-${pid}`, known);
  symlinkSync('round-2', `${images}/last-round`);
  const from = `${images}/round-1`;
  const what = [...sent(from, pid, PRESENT), 'close 0 0 0 0'];
  expect(await dump(images, memory, { from, what })).toMatchObject({ exitCode: 0, stderr: '' });
  expect(readFileSync(`${images}/pages-1.img`).equals(readFileSync(`${from}/pages-${pid}.img`))).toBe(true);
});

test.each([
  [
    'a command that is not known',
    ['add 1 1 16 257 pages 0'],
    'criu sends what is not known: 6 1 1 65536 257',
  ],
  ['another command', ['9 0 0 0 257'], 'criu sends what is not known: 9 0 0 0 257'],
  ['pages of nobody', ['open 0 0 0 259'], 'criu sends what is not known: 4 0 0 0 259'],
])('%s: criu fails, it is said why, and nothing is left', async (_, more, said) => {
  using directory = temporaryDirectory();
  for (const name of ['images/round-1', 'memory']) mkdirSync(directory.at(name), { recursive: true });
  const images = directory.at('images');
  symlinkSync('round-1', `${images}/last-round`);
  writeFileSync(`${images}/pages`, 'of one page'.padEnd(PAGE));
  const what = ['open 0 0 0 257', ...more, 'close 0 0 0 0'];
  const { exitCode, stderr } = await dump(images, directory.at('memory'), { from: images, what });
  expect(exitCode).toBe(3);
  expect(stderr).toContain(`compare: ${said}`);
  expect(readdirSync(images).toSorted()).toEqual(['last-round', 'pages', 'round-1', 'what']);
});

test.each(['new', 'old'] as const)(
  'a dump that fails before there is memory is answered, by the %s protocol',
  async (layout) => {
    using directory = temporaryDirectory();
    for (const name of ['images/round-1', 'memory']) mkdirSync(directory.at(name), { recursive: true });
    const images = directory.at('images');
    symlinkSync('round-1', `${images}/last-round`);
    const made = await dump(images, directory.at('memory'), {
      from: images,
      what: ['close 0 0 0 0'],
      layout,
    });
    expect(made).toMatchObject({ exitCode: 0, stdout: '--page-server --ps-socket\n0\n' });
  },
);

test('criu has no child that it could take for a task', async () => {
  using directory = temporaryDirectory();
  for (const name of ['images/round-1', 'memory']) mkdirSync(directory.at(name), { recursive: true });
  symlinkSync('round-1', directory.at('images/last-round'));
  const places = [directory.at('images'), directory.at('memory'), ''];
  const children = ['sh', '-c', 'read -r children < /proc/$$/task/$$/children; echo "none$children"'];
  const { stdout } = await host.run(['perl', '-e', COMPARE_PROGRAM, 'dump', ...places, ...children]);
  expect(stdout).toBe('none\n');
  const server = readFileSync(directory.at('memory/page-server'), 'utf8');
  expect(server).toMatch(/^\d+ \d+ \n$/);
});

test('a criu that ends too soon leaves nothing behind, and speaks for itself', async () => {
  using directory = temporaryDirectory();
  for (const name of ['images/round-1', 'memory']) mkdirSync(directory.at(name), { recursive: true });
  const images = directory.at('images');
  symlinkSync('round-1', `${images}/last-round`);
  const { stderr } = await dump(images, directory.at('memory'), { from: images, what: ['open 0 0 0 257'] });
  expect(stderr).toBe('');
  await expect.poll(() => readdirSync(images).toSorted()).toEqual(['last-round', 'round-1', 'what']);
});

describe('what is written is sent at once', () => {
  const receiver = (to: string): string => `cd '${to}' || exit\n${RECEIVE_SCRIPT}`;

  test('and comes as it was written, rounds and dump', async () => {
    using directory = temporaryDirectory();
    for (const name of ['run/images', 'run/memory', 'to']) mkdirSync(directory.at(name), { recursive: true });
    const [images, memory] = [directory.at('run/images'), directory.at('run/memory')];
    using fakes = fakePrograms({ ssh: receiver(directory.at('to')) });
    const { pid, task, write } = await start();
    for (const number of ['1', '2']) {
      for (const each of [images, memory]) mkdirSync(`${each}/round-${number}`);
      const program = ['perl', '-e', COMPARE_PROGRAM, 'round', images, memory, '/config', number, task];
      expect(await fakes.host.run(program)).toMatchObject({ exitCode: 0, stderr: '' });
      expect(existsSync(`${memory}/round-${number}/sent`)).toBe(true);
      for (const name of [`pages-${pid}.img`, `pagemap-${pid}.img`]) {
        const [written, come] = [images, directory.at('to')].map((each) =>
          readFileSync(`${each}/round-${number}/${name}`),
        );
        expect(written !== undefined && come?.equals(written)).toBe(true);
      }
      await write(20);
    }
    expect(readlinkSync(directory.at('to/round-2/parent'))).toBe('../round-1');
    symlinkSync('round-2', `${images}/last-round`);
    const from = `${images}/round-1`;
    writeFileSync(`${from}/what`, [...sent(from, pid, PRESENT), 'close 0 0 0 0'].join('\n'));
    const criu = ['perl', '-e', CRIU, '--', 'new', from];
    const dumped = ['perl', '-e', COMPARE_PROGRAM, 'dump', images, memory, '/config', ...criu];
    expect(await fakes.host.run(dumped)).toMatchObject({ exitCode: 0, stderr: '' });
    expect(readFileSync(directory.at('run', SENT_IMAGES), 'utf8')).toBe('pages-1.img \n');
    expect(readFileSync(directory.at('to/pages-1.img')).equals(readFileSync(`${images}/pages-1.img`))).toBe(
      true,
    );
  });

  test.each([
    ['at once', 'exit 255'],
    ['in the middle', 'head -c 3000000 > /dev/null; exit 255'],
    ['at the end', 'cat > /dev/null; exit 1'],
  ])('when that breaks %s, the round is whole all the same, and left to be sent', async (_, ssh) => {
    using directory = temporaryDirectory();
    for (const name of ['images/round-1', 'memory/round-1'])
      mkdirSync(directory.at(name), { recursive: true });
    using fakes = fakePrograms({ ssh });
    const { pid, task } = await start();
    const places = [directory.at('images'), directory.at('memory'), '/config'];
    const program = ['perl', '-e', COMPARE_PROGRAM, 'round', ...places, '1', task];
    const { exitCode, stdout } = await fakes.host.run(program);
    expect(exitCode).toBe(0);
    expect(statSync(directory.at(`images/round-1/pages-${pid}.img`)).size).toBe(Number(stdout));
    expect(readMemory(directory.at('images/round-1'), pid).size).toBeGreaterThan(2048);
    expect(readdirSync(directory.at('memory/round-1'))).toEqual([]);
  });
});
