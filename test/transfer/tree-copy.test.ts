import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { dirname } from 'node:path';
import { once } from 'node:events';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { LocalHost } from '../../src/host/local.ts';
import { SshHost } from '../../src/host/ssh.ts';
import { Pace } from '../../src/transfer/pace.ts';
import { Relay } from '../../src/transfer/relay.ts';
import { TreeCopy, type CopyOptions } from '../../src/transfer/tree-copy.ts';
import { sshdSkipReason, startSshd, type TestSshd } from '../helpers/sshd.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

const local = new LocalHost();
let directory: TemporaryDirectory;
const UNPACED = { onReconnect: () => undefined, pace: new Pace() };
let relay: Relay;
beforeEach(async () => {
  directory = temporaryDirectory();
  relay = await Relay.open({ source: local, destination: local }, UNPACED);
});
afterEach(() => directory[Symbol.dispose]());

function put(path: string, content: string | Buffer = path): string {
  const file = directory.at('from', path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

async function begin(from = 'from', to = 'to'): Promise<TreeCopy> {
  const ends = { source: local, destination: local };
  return TreeCopy.begin({ ...ends, relay, from: directory.at(from), to: directory.at(to) });
}

const LAST: CopyOptions = { signal: new AbortController().signal, isLast: true };
const FIRST: CopyOptions = { ...LAST, isLast: false };

/** All that a copy keeps of a tree: what things are, whose, their times to the second, which names are one file, and contents. */
function shapeOf(root: string): string {
  const facts = execFileSync('find', [directory.at(root), '-printf', '%y %m %U %G %s %T@ %n %P -> %l\\n'], {
    encoding: 'utf8',
  })
    .replace(/(\d{9,})\.\d+/g, '$1')
    // A directory's own size is the file system's business.
    .replace(/^(d \S+ \S+ \S+) \d+/gm, '$1')
    .split('\n')
    .toSorted();
  const digests = execFileSync('sh', [
    '-c',
    'cd "$1" 2> /dev/null || { sha256sum < "$1"; exit; }; find . -type f -print0 | sort -z | xargs -0 -r sha256sum',
    'sh',
    directory.at(root),
  ]);
  return `${facts.join('\n')}\n${digests.toString()}`;
}

function expectSame(): void {
  expect(shapeOf('to')).toBe(shapeOf('from'));
}

test('modes, owners, times, links of both kinds, FIFOs, empty directories and names of any sort', async () => {
  chmodSync(put('run.sh'), 0o4755);
  chownSync(put('sub/owned'), 1234, 5678);
  utimesSync(put('sub/old'), 1_000_000_000, 1_000_000_000);
  mkdirSync(directory.at('from', 'empty'), { mode: 0o1777 });
  symlinkSync('../nowhere', directory.at('from', 'sub/link'));
  linkSync(directory.at('from', 'run.sh'), directory.at('from', 'sub/again'));
  execFileSync('mkfifo', ['-m', '640', directory.at('from', 'fifo')]);
  for (const name of ['a\nb', 'c\rd', ' e ', '-rf', '$(touch x)', 'q\'u"o', 'ü€😀', '\u0001', '\\'])
    put(name);
  put('nothing', '');
  put('large', Buffer.alloc(3_000_000, 'x'));
  await (await begin()).copy(LAST);
  expectSame();
  expect(statSync(directory.at('to', 'sub/again')).ino).toBe(statSync(directory.at('to', 'run.sh')).ino);
});

test('one file is a tree of its own', async () => {
  writeFileSync(directory.at('from'), 'one');
  const copy = await begin();
  await copy.copy(FIRST);
  appendFileSync(directory.at('from'), ' more');
  await copy.copy(LAST);
  expectSame();
});

test('holes stay holes, also in what was there before', async () => {
  for (const name of ['sparse', 'kept']) {
    put(name, 'begin');
    truncateSync(directory.at('from', name), 10_000_000);
    appendFileSync(directory.at('from', name), 'end');
  }
  mkdirSync(directory.at('to'));
  writeFileSync(directory.at('to', 'kept'), Buffer.alloc(12_000_000, 'x'));
  await (await begin()).copy(LAST);
  expectSame();
  for (const name of ['sparse', 'kept']) {
    expect(statSync(directory.at('to', name)).blocks * 512).toBeLessThan(1_000_000);
  }
});

test('what is at the place already is kept as a place only', async () => {
  put('pages-1.img', 'abc');
  mkdirSync(directory.at('to'));
  writeFileSync(directory.at('to', 'pages-1.img'), Buffer.alloc(100_000));
  writeFileSync(directory.at('to', 'pages-2.img'), Buffer.alloc(100_000));
  mkdirSync(directory.at('to', 'stale/deep'), { recursive: true });
  const { ino } = statSync(directory.at('to', 'pages-1.img'));
  await (await begin()).copy(LAST);
  expectSame();
  expect(statSync(directory.at('to', 'pages-1.img')).ino).toBe(ino);
});

test('contents alone are for root alone', async () => {
  chmodSync(put('a/b'), 0o666);
  const ends = { source: local, destination: local, relay };
  const way = { from: directory.at('from'), to: directory.at('to'), keeps: 'contents' } as const;
  await (await TreeCopy.begin({ ...ends, ...way })).copy(LAST);
  expect(statSync(directory.at('to', 'a/b'))).toMatchObject({ mode: 0o100600, size: 3 });
  expect(statSync(directory.at('to', 'a')).mode & 0o777).toBe(0o700);
});

test('a second time only what has changed is copied', async () => {
  put('same', Buffer.alloc(100_000));
  put('longer', 'a');
  put('gone/deep');
  put('becomes-a-directory');
  put('becomes-a-link');
  symlinkSync('one', directory.at('from', 'link'));
  linkSync(directory.at('from', 'same'), directory.at('from', 'second'));
  const copy = await begin();
  await copy.copy(FIRST);
  appendFileSync(directory.at('from', 'longer'), 'b');
  rmSync(directory.at('from', 'gone'), { recursive: true });
  rmSync(directory.at('from', 'becomes-a-directory'));
  put('becomes-a-directory/inside');
  rmSync(directory.at('from', 'becomes-a-link'));
  symlinkSync('longer', directory.at('from', 'becomes-a-link'));
  rmSync(directory.at('from', 'link'));
  symlinkSync('other', directory.at('from', 'link'));
  renameSync(directory.at('from', 'second'), directory.at('from', 'zweite'));
  put('new/deep/file');
  let bytes = 0;
  await copy.copy({ ...LAST, onBytes: (more) => (bytes += more) });
  expectSame();
  // `same` has another link, so that its inode has changed: it cannot be told from a change of what is in it.
  expect(bytes).toBe(100_000 + 'ab'.length + 'becomes-a-directory/inside'.length + 'new/deep/file'.length);
});

test('what looks the same is copied again when it is named, by any of its names', async () => {
  const file = put('mapped', 'before');
  linkSync(file, directory.at('from', 'name'));
  const copy = await begin();
  await copy.copy(FIRST);
  writeFileSync(directory.at('to', 'mapped'), 'others');
  await copy.copy({ ...LAST, again: new Set(['name', 'not there']) });
  expectSame();
});

test('what became something else since is made anew, though it is named', async () => {
  symlinkSync(directory.at('elsewhere'), directory.at('from'));
  const copy = await begin();
  await copy.copy(FIRST);
  rmSync(directory.at('from'));
  writeFileSync(directory.at('from'), 'mapped');
  await copy.copy({ ...LAST, again: new Set(['.']) });
  expectSame();
  expect(existsSync(directory.at('elsewhere'))).toBe(false);
});

test('two names of one file that became two files are two files', async () => {
  const file = put('a');
  linkSync(file, directory.at('from', 'b'));
  const copy = await begin();
  await copy.copy(FIRST);
  rmSync(file);
  put('a', 'another');
  await copy.copy({ ...LAST, again: new Set(['b']) });
  expectSame();
});

test('two names of one FIFO or of one symbolic link are two names of one', async () => {
  put('a');
  execFileSync('mkfifo', [directory.at('from', 'fifo')]);
  symlinkSync('nowhere', directory.at('from', 'link'));
  for (const name of ['fifo', 'link'])
    linkSync(directory.at('from', name), directory.at('from', `another-${name}`));
  const copy = await begin();
  await copy.copy(FIRST);
  linkSync(directory.at('from', 'fifo'), directory.at('from', 'third'));
  await copy.copy(LAST);
  expectSame();
});

test('what takes the place of a listed file is not followed', async () => {
  put('secret', 'of root');
  const file = put('data', 'of nobody');
  chownSync(file, 65534, 65534);
  const source = Object.assign(Object.create(local), {
    run: async (...args: Parameters<LocalHost['run']>) => {
      const listing = await local.run(...args);
      rmSync(file);
      linkSync(directory.at('from', 'secret'), file);
      return listing;
    },
  });
  const ends = { source, destination: local, relay };
  const swapped = await TreeCopy.begin({ ...ends, from: directory.at('from'), to: directory.at('to') });
  await expect(swapped.copy(LAST)).rejects.toMatchObject({
    message: expect.stringMatching(/something else took its place/),
  });
});

test('until the last time nobody else can enter the copy', async () => {
  put('a');
  chmodSync(directory.at('from'), 0o777);
  const copy = await begin();
  await copy.copy(FIRST);
  expect(lstatSync(directory.at('to')).mode & 0o777).toBe(0o700);
  await copy.copy(LAST);
  expectSame();
});

test('sockets stay behind; a device, a name that is not UTF-8 and nothing at all are refused', async () => {
  put('a');
  const server = createServer().listen(directory.at('from', 'socket'));
  await once(server, 'listening');
  await (await begin()).copy(LAST);
  expect(readdirSync(directory.at('to'))).toEqual(['a']);
  server.close();
  const refused = (text: RegExp): unknown =>
    expect.objectContaining({ code: 'TRANSFER_FAILED', message: expect.stringMatching(text) });
  execFileSync('mknod', [directory.at('from', 'device'), 'c', '1', '3']);
  await expect((await begin()).copy(LAST)).rejects.toEqual(refused(/device.*it is a device/));
  rmSync(directory.at('from', 'device'));
  writeFileSync(Buffer.concat([Buffer.from(`${directory.at('from')}/`), Buffer.from([0x66, 0xff])]), '');
  await expect((await begin()).copy(LAST)).rejects.toEqual(refused(/not UTF-8/));
  await expect((await begin('none')).copy(LAST)).rejects.toEqual(refused(/it is not there/));
});

test('an abort ends it', async () => {
  put('large', Buffer.alloc(5_000_000));
  const stop = new AbortController();
  const copy = (await begin()).copy({ ...LAST, signal: stop.signal, onBytes: () => stop.abort() });
  await expect(copy).rejects.toMatchObject({ code: 'INTERRUPTED' });
});

test('any change of any tree is carried over', async () => {
  const names = fc.constantFrom('a', 'b', 'c', 'd/a', 'd/b', 'd/e/a');
  const change = fc.oneof(
    fc.record({ do: fc.constant('write'), name: names, text: fc.string() }),
    fc.record({ do: fc.constantFrom('remove', 'directory', 'fifo'), name: names }),
    fc.record({ do: fc.constantFrom('symlink', 'link', 'rename'), name: names, other: names }),
    fc.record({ do: fc.constant('chmod'), name: names, mode: fc.integer({ min: 0, max: 0o777 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(change, { maxLength: 8 }), { maxLength: 3 }), async (rounds) => {
      for (const root of ['from', 'to']) rmSync(directory.at(root), { recursive: true, force: true });
      mkdirSync(directory.at('from'));
      const copy = await begin();
      for (const changes of rounds) {
        for (const each of changes) applyChange(each);
        await copy.copy(FIRST);
      }
      await copy.copy(LAST);
      expectSame();
    }),
    { numRuns: 40 },
  );
}, 120_000);

function applyChange(change: {
  readonly do: string;
  readonly name: string;
  readonly text?: string;
  readonly other?: string;
  readonly mode?: number;
}): void {
  const at = (name = ''): string => directory.at('from', name);
  const path = at(change.name);
  try {
    switch (change.do) {
      case 'write':
        // Who opens a FIFO waits for a reader.
        if (existsSync(path) && statSync(path).isFIFO()) break;
        put(change.name, change.text);
        break;
      case 'remove':
        rmSync(path, { recursive: true });
        break;
      case 'directory':
        mkdirSync(path, { recursive: true });
        break;
      case 'fifo':
        execFileSync('mkfifo', [path], { stdio: 'ignore' });
        break;
      case 'symlink':
        symlinkSync(change.other ?? '', path);
        break;
      case 'link':
        linkSync(at(change.other), path);
        break;
      case 'rename':
        renameSync(at(change.other), path);
        break;
      default:
        chmodSync(path, change.mode ?? 0);
    }
  } catch {
    // There is nothing to change in this way.
  }
}

describe.skipIf(sshdSkipReason !== undefined)(
  `by SFTP${sshdSkipReason === undefined ? '' : ` (skipped: ${sshdSkipReason})`}`,
  () => {
    let sshd: TestSshd;
    beforeAll(async () => {
      sshd = await startSshd();
    });
    afterAll(() => sshd?.close());

    test('remembers nothing of what has come', async () => {
      const { configFile, controlDirectory } = sshd;
      const host = await SshHost.connect({ destination: 'lab', sshConfigFile: configFile, controlDirectory });
      const ends = { source: host, destination: host };
      const open = await Relay.open(ends, UNPACED);
      put('large', Buffer.alloc(100_000_000, 'x'));
      setFlagsFromString('--expose-gc');
      const collectGarbage = runInNewContext('gc') as () => void;
      const way = { from: directory.at('from'), to: directory.at('to') };
      await (await TreeCopy.begin({ ...ends, ...way, relay: open })).copy(LAST);
      collectGarbage();
      expect(process.memoryUsage().arrayBuffers).toBeLessThan(20_000_000);
      await open.close();
      await host.close();
    }, 120_000);

    test('goes on where it was when its connection breaks', async () => {
      const { configFile, controlDirectory } = sshd;
      const host = await SshHost.connect({ destination: 'lab', sshConfigFile: configFile, controlDirectory });
      const lost: string[] = [];
      const ends = { source: host, destination: host };
      const broken = await Relay.open(ends, { ...UNPACED, onReconnect: ({ code }) => lost.push(code) });
      put('large', Buffer.alloc(60_000_000, 'x'));
      for (let number = 0; number < 50; number += 1) put(`d${number}/file`);
      const copy = await TreeCopy.begin({
        ...ends,
        relay: broken,
        from: directory.at('from'),
        to: directory.at('to'),
      });
      let bytes = 0;
      const signal = AbortSignal.timeout(60_000);
      await copy.copy({
        isLast: true,
        signal,
        onBytes: (more) => {
          if (bytes < 30_000_000 && bytes + more >= 30_000_000) void sshd.endSessions();
          bytes += more;
        },
      });
      expectSame();
      expect(lost).toEqual(['HOST_UNREACHABLE']);
      // What had come is not copied again, but for what was on its way.
      expect(bytes).toBeLessThan(75_000_000);
      await broken.close();
      await host.close();
    }, 120_000);
  },
);
