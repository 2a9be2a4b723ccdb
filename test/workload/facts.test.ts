import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LocalHost } from '../../src/host/local.ts';
import { parseFacts, readWorkload } from '../../src/workload/facts.ts';
import { findWorkload } from '../../src/workload/find.ts';
import { workloadState } from '../../src/workload/identity.ts';
import { fakePrograms } from '../helpers/fake-programs.ts';
import { startProgram } from '../helpers/started-program.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const host = new LocalHost();

test('records become facts: the root first, files once, connections between two of its own left out', () => {
  const facts = parseFacts(
    20,
    [
      'P\t21\t20\t20\t20\t5\t0\t4\t21,22,\t/usr/bin/child\t/srv\tchild \n',
      "P\t20\t1\t20\t20\t3\t99 strace\t8\t20,\t/usr/bin/root\t/\troot --a 'b",
      'F\topen\t10\t/srv/a\tname with tab',
      'F\topen\t10\t/srv/a\tname with tab',
      'F\tmapped\t9\t/usr/bin/x',
      'F\topen\t0\tpipe:[1]',
      'C\t10.0.0.1:80\t10.0.0.2:4000',
      'C\t127.0.0.1:80\t127.0.0.1:4000',
      'C\t[::ffff:127.0.0.1]:4000\t[::ffff:127.0.0.1]:80',
      'C\t127.0.0.1:4001\t127.0.0.1:5432',
      'A\t21\ta profile',
      'G\t20\t/system.slice/video.service',
      'G\t21\t/system.slice/other.service',
      'L\tmemory.max\t1048576',
      'L\tpids.max\tmax',
      'L\tcpu.max\tmax 100000',
      'U\tu_str\t501\t/run/systemd/journal/stdout',
      'O\t77\t99',
      'X\t21\t5\tanon_inode:[io_uring]',
      'V\t20\t3\t1:11\t/dev/a\tname with tab',
      'D\t100',
      'D\t5000000',
      'D\t7',
      'N',
      'O\t77\t98',
      '',
    ].join('\0'),
  );
  expect(facts.processes).toEqual([
    expect.objectContaining({
      pid: 20,
      tracer: { pid: 99, command: 'strace' },
      memoryBytes: 8192,
      command: "root --a 'b",
    }),
    expect.objectContaining({
      pid: 21,
      threads: [21, 22],
      executable: '/usr/bin/child',
      workingDirectory: '/srv',
    }),
  ]);
  expect(facts.processes[1]).not.toHaveProperty('tracer');
  expect(facts.files).toEqual([
    { use: 'open', sizeBytes: 10, path: '/srv/a\tname with tab' },
    { use: 'mapped', sizeBytes: 9, path: '/usr/bin/x' },
  ]);
  expect(facts.connections).toEqual(['10.0.0.1:80 > 10.0.0.2:4000', '127.0.0.1:4001 > 127.0.0.1:5432']);
  expect(facts.hasLoopbackConnections).toBe(true);
  expect(facts).toMatchObject({
    outsidePipes: [{ inode: 77, pid: 99 }],
    unknownFiles: [{ pid: 21, fd: 5, what: 'anon_inode:[io_uring]' }],
    devices: [{ pid: 20, fd: 3, what: '1:11 /dev/a\tname with tab' }],
    ...{ ghostBytes: 5_000_107, hasNetworkFiles: true },
  });
  expect(facts).not.toHaveProperty('hasCriuFlow');
  expect(facts.processes.map(({ appArmorProfile }) => appArmorProfile)).toEqual([undefined, 'a profile']);
  // What is as it is without a limit is none.
  expect(facts.cgroup).toEqual({
    path: '/system.slice/video.service',
    limits: { 'memory.max': '1048576' },
    outside: [21],
    isShared: false,
  });
  expect(facts.outsideSockets).toEqual([{ kind: 'u_str', inode: 501, path: '/run/systemd/journal/stdout' }]);
});

test('reads a live tree: its processes, its open files, where it is', async () => {
  const directory = mkdtempSync(join(tmpdir(), "criu-flow facts' "));
  const child = spawn('sh', ['-c', 'exec 5> "an open file"; sleep 4711 & echo $!; wait'], { cwd: directory });
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const pid = child.pid ?? 0;
    const facts = await readWorkload(host, pid);
    expect(facts.processes.map((each) => each.pid)).toEqual([pid, Number(String(line))]);
    expect(facts.processes[0]).toMatchObject({ parentPid: process.pid, workingDirectory: directory });
    expect(facts.files).toContainEqual({ use: 'open', sizeBytes: 0, path: join(directory, 'an open file') });
    expect(await workloadState(host, pid, facts.processes[0]?.startTicks)).toBe('running');
    // The same number and another start time is another process.
    expect(await workloadState(host, pid, 1)).toBe('gone');
    process.kill(Number(String(line)), 'SIGKILL');
  } finally {
    child.kill('SIGKILL');
    await once(child, 'close');
    rmSync(directory, { recursive: true, force: true });
  }
});

test('the root of a cgroup namespace has no limits that are the workload’s', () => {
  const records = ['P\t20\t1\t20\t20\t3\t0\t4\t20,\t/x\t/\tx', 'G\t20\t/', 'L\tmemory.max\t9', ''];
  expect(parseFacts(20, records.join('\0')).cgroup).toEqual({
    path: '/',
    limits: {},
    outside: [],
    isShared: false,
  });
});

test('a unix socket is told of only when its other end is outside', async () => {
  using directory = temporaryDirectory();
  const server = createServer().listen(directory.at('outside.sock'));
  await once(server, 'listening');
  // One connection to somebody else, one within.
  const script = `import socket, sys
outside = socket.socket(socket.AF_UNIX); outside.connect(sys.argv[1])
pair = socket.socketpair()
print("ready", flush=True)
sys.stdin.read()`;
  const child = spawn(
    'sh',
    [
      '-c',
      'exec python3 -c "$1" "$2" < "$3" > "$4"',
      'sh',
      script,
      directory.at('outside.sock'),
      '/dev/zero',
      directory.at('out'),
    ],
    { stdio: 'ignore' },
  );
  try {
    await once(server, 'connection');
    await expect
      .poll(() => readFileSync(directory.at('out'), 'utf8').trim(), { timeout: 10_000 })
      .toBe('ready');
    const { outsideSockets } = await readWorkload(host, child.pid ?? 0);
    expect(outsideSockets).toEqual([
      { kind: 'u_str', inode: expect.any(Number), path: directory.at('outside.sock') },
    ]);
  } finally {
    child.kill('SIGKILL');
    await once(child, 'close');
    server.close();
  }
});

test('finds by executable and exact arguments, and neither itself nor its shell', async () => {
  const child = spawn('sleep', ['4712']);
  try {
    await once(child, 'spawn');
    const path = '/usr/bin/sleep';
    expect(await findWorkload(host, { kind: 'executable', path, arguments: ['4712'] })).toBe(child.pid);
    await expect(findWorkload(host, { kind: 'executable', path, arguments: ['471'] })).rejects.toMatchObject({
      code: 'WORKLOAD_NOT_FOUND',
    });
    const twin = spawn('sleep', ['4712']);
    await once(twin, 'spawn');
    await expect(findWorkload(host, { kind: 'executable', path, arguments: ['4712'] })).rejects.toMatchObject(
      {
        code: 'WORKLOAD_AMBIGUOUS',
      },
    );
    twin.kill('SIGKILL');
    await once(twin, 'close');
  } finally {
    child.kill('SIGKILL');
    await once(child, 'close');
  }
});

test('a pid and a pid file that name nothing are not found', async () => {
  await expect(findWorkload(host, { kind: 'pid', pid: 4_194_303 })).rejects.toMatchObject({
    code: 'WORKLOAD_NOT_FOUND',
  });
  await expect(findWorkload(host, { kind: 'pid-file', path: '/none' })).rejects.toMatchObject({
    code: 'WORKLOAD_NOT_FOUND',
  });
});

test('sees a process whose connections are its own', async () => {
  const server = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const client = connect(typeof address === 'object' && address ? address.port : 0, '127.0.0.1');
  await once(client, 'connect');
  const facts = await readWorkload(host, process.pid);
  expect(facts.connections.filter((each) => each.startsWith('127.'))).toEqual([]);
  client.destroy();
  server.close();
});

test('an open file that has no name any more travels in the images: the destination need not hold it', async () => {
  using directory = temporaryDirectory();
  const script =
    'exec 5> "$1/nameless" 6> "$1/named"; rm "$1/nameless"; read -r line; echo "$line"; read -r line';
  await using program = await startProgram('sh', '-c', script, 'sh', directory.path);
  const { files } = await readWorkload(host, program.pid);
  const open = files.filter((file) => file.use === 'open').map((file) => file.path);
  expect(open).toEqual([directory.at('named')]);
});

test('one that has ended, and that nobody has asked for, has no directory any more', async () => {
  const script = `import os, time
child = os.fork() or os._exit(0)
os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
print(flush=True)
time.sleep(4711)`;
  await using program = await startProgram('python3', '-c', script);
  const { processes } = await readWorkload(host, program.pid);
  expect(processes.map(({ workingDirectory }) => workingDirectory === '')).toEqual([false, true]);
});

test('one that ends while it is looked at is left out', async () => {
  await using program = await startProgram('sh', '-c', 'sleep 4711 & echo; wait; exec sleep 4712');
  // It ends as its program is asked for.
  using programs = fakePrograms({
    readlink: `case $1 in /proc/${program.pid}/*) ;; /proc/*/exe) pid=\${1#/proc/} pid=\${pid%%/*}
      [ "$(cut -d ' ' -f 4 "/proc/$pid/stat")" != ${program.pid} ] || { kill -KILL "$pid"; while [ -d "/proc/$pid" ]; do :; done; } ;;
    esac
    exec /usr/bin/readlink "$@"`,
  });
  const { processes } = await readWorkload(programs.host, program.pid);
  expect(processes.map(({ pid }) => pid)).toEqual([program.pid]);
});

test('a process that has just ended is not found', async () => {
  await using program = await startProgram('sh', '-c', 'read -r line; echo "$line"; read -r line');
  await program.kill();
  await expect(readWorkload(host, program.pid)).rejects.toMatchObject({ code: 'WORKLOAD_NOT_FOUND' });
});
