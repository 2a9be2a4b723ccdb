import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Compression } from '../../src/events/event.ts';
import type { Host } from '../../src/host/host.ts';
import { LocalHost } from '../../src/host/local.ts';
import { mustRunScript } from '../../src/host/shell.ts';
import { SshHost } from '../../src/host/ssh.ts';
import { destinationAccess } from '../../src/transfer/destination-access.ts';
import {
  AUTHORIZE_SCRIPT,
  closeDirectPath,
  directPathConfig,
  openDirectPath,
  REVOKE_SCRIPT,
} from '../../src/transfer/one-run-key.ts';
import { sendImagesCommand } from '../../src/transfer/image-stream.ts';
import { BrokenTransfer, copyFiles, WaitingCopy } from '../../src/transfer/rsync.ts';
import { workloadState } from '../../src/workload/identity.ts';
import { fakePrograms } from '../helpers/fake-programs.ts';
import { sshdSkipReason, startSshd, type TestSshd } from '../helpers/sshd.ts';
import { startProgram } from '../helpers/started-program.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

describe('the key in authorized_keys', () => {
  let home: TemporaryDirectory;
  beforeEach(() => {
    home = temporaryDirectory();
  });
  afterEach(() => home[Symbol.dispose]());

  const local = new LocalHost();
  const act = async (
    script: string,
    run: string,
    host: Host = local,
    more: readonly string[] = [],
  ): Promise<void> => {
    const inHome: Host = {
      ...host,
      name: 'local',
      run: (argv, options) => host.run(['env', `HOME=${home.path}`, ...argv], options),
    };
    const key = `ssh-ed25519 AAAA criu-flow-${run}`;
    await mustRunScript(inHome, script, [home.at('runs', run), run, key, ...more], {
      what: 'Changing the keys',
    });
  };
  const file = (): string => home.at('.ssh', 'authorized_keys');
  const keys = (): string => readFileSync(file(), 'utf8');
  const write = (content: string): void => {
    mkdirSync(home.at('.ssh'), { mode: 0o700 });
    writeFileSync(file(), content, { mode: 0o600 });
  };

  test('is good for the transfers only, and expires', async () => {
    write('ssh-rsa BBBB somebody\n');
    await act(AUTHORIZE_SCRIPT, 'r1');
    const [first, second] = keys().split('\n');
    expect(first).toBe('ssh-rsa BBBB somebody');
    expect(second).toMatch(
      /^restrict,expiry-time="\d{12}",command="sh \S+\/runs\/r1\/transfers-only" ssh-ed25519 AAAA criu-flow-r1$/,
    );
  });

  test('may be led to one port of the host itself, when there is one', async () => {
    await act(AUTHORIZE_SCRIPT, 'r1', local, ['700']);
    expect(keys()).toMatch(
      /^restrict,port-forwarding,permitopen="127\.0\.0\.1:700",permitlisten="127\.0\.0\.1:1",expiry-time="\d{12}",command=/,
    );
  });

  test('may be led from one port of the host itself', async () => {
    await act(AUTHORIZE_SCRIPT, 'r1', local, ['', '700']);
    expect(keys()).toMatch(
      /^restrict,port-forwarding,permitopen="127\.0\.0\.1:1",permitlisten="127\.0\.0\.1:700",expiry-time="\d{12}",command=/,
    );
  });

  test.each([
    ['of others', 'ssh-rsa BBBB somebody\n# a comment\n'],
    ['that is empty', ''],
    ['with a key whose comment looks like ours', 'ssh-rsa BBBB criu-flow-r10\nssh-rsa BBBB x-criu-flow-r1\n'],
    ['with bytes that are no text', 'ssh-rsa BBBB \0caf\u00e9\n'],
  ])('leaves a file %s as it was', async (_, content) => {
    write(content);
    chmodSync(file(), 0o640);
    await act(AUTHORIZE_SCRIPT, 'r1');
    expect(keys()).not.toBe(content);
    await act(REVOKE_SCRIPT, 'r1');
    await act(REVOKE_SCRIPT, 'r1');
    expect(keys()).toBe(content);
    expect(statSync(file()).mode & 0o777).toBe(0o640);
    expect(readdirSync(home.at('.ssh'))).toEqual(['authorized_keys']);
  });

  test('goes with those who came by it, and with nobody who has one of their pids by now', async () => {
    await act(AUTHORIZE_SCRIPT, 'r1');
    const only = home.at('runs', 'r1', 'transfers-only');
    const command = 'SSH_ORIGINAL_COMMAND=$1 exec sh "$2"';
    await using server = await startProgram(
      'sh',
      '-c',
      command,
      'sh',
      'rsync --server -logDtprze . /tmp',
      only,
    );
    await using other = await startProgram('cat');
    appendFileSync(home.at('runs', 'r1', 'transfer-servers'), `${other.pid} 1\n`);
    await act(REVOKE_SCRIPT, 'r1');
    await expect.poll(() => workloadState(local, server.pid, undefined)).toBe('gone');
    expect(await workloadState(local, other.pid, undefined)).toBe('running');
  });

  test('does not grow onto the end of a last line without an end, which keeps the one it was given', async () => {
    write('ssh-rsa BBBB somebody');
    await act(AUTHORIZE_SCRIPT, 'r1');
    expect(keys()).toMatch(/^ssh-rsa BBBB somebody\nrestrict,/);
    await act(REVOKE_SCRIPT, 'r1');
    expect(keys()).toBe('ssh-rsa BBBB somebody\n');
  });

  test('leaves nothing where there was nothing', async () => {
    await act(AUTHORIZE_SCRIPT, 'r1');
    expect(statSync(home.at('.ssh')).mode & 0o777).toBe(0o700);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    await act(REVOKE_SCRIPT, 'r1');
    expect(readdirSync(home.path)).toEqual(['runs']);
  });

  test('leaves nothing where somebody without ssh never let it in', async () => {
    await act(REVOKE_SCRIPT, 'r1');
    expect(readdirSync(home.path)).toEqual([]);
  });

  test('goes through a symbolic link and leaves it one', async () => {
    mkdirSync(home.at('.ssh'));
    writeFileSync(home.at('managed'), 'ssh-rsa BBBB somebody\n');
    symlinkSync('../managed', file());
    await act(AUTHORIZE_SCRIPT, 'r1');
    expect(readFileSync(home.at('managed'), 'utf8')).toContain('criu-flow-r1');
    await act(REVOKE_SCRIPT, 'r1');
    expect(lstatSync(file()).isSymbolicLink()).toBe(true);
    expect(readFileSync(home.at('managed'), 'utf8')).toBe('ssh-rsa BBBB somebody\n');
  });

  test('of runs at the same time are each let in and taken away, and nobody else’s', async () => {
    write('ssh-rsa BBBB somebody\n');
    const runs = Array.from({ length: 8 }, (_, index) => `r${index}`);
    await Promise.all(runs.map((run) => act(AUTHORIZE_SCRIPT, run)));
    expect(keys().trim().split('\n')).toHaveLength(9);
    // One goes on while the others leave.
    await Promise.all([
      ...runs.slice(1).map((run) => act(REVOKE_SCRIPT, run)),
      ...['s1', 's2', 's3'].map((run) => act(AUTHORIZE_SCRIPT, run)),
    ]);
    const left = keys().trim().split('\n');
    expect(left.map((line) => line.split(' ').at(-1) ?? '').toSorted()).toEqual([
      ...['criu-flow-r0', 'criu-flow-s1', 'criu-flow-s2', 'criu-flow-s3'],
      'somebody',
    ]);
  });

  test('is not taken away at the price of the others when the disk is full', async () => {
    const content = 'ssh-rsa BBBB somebody\nssh-rsa CCCC somebody-else\n';
    write(content);
    await act(AUTHORIZE_SCRIPT, 'r1');
    const before = keys();
    using programs = fakePrograms({
      // Writes as much as there is room for.
      grep: `case " $* " in *' -v '*) echo "ssh-rsa BB"; echo "grep: No space left on device" >&2; exit 2 ;; esac; exec /bin/grep "$@"`,
    });
    await expect(act(REVOKE_SCRIPT, 'r1', programs.host)).rejects.toMatchObject({
      code: 'COMMAND_FAILED',
      evidence: 'grep: No space left on device',
    });
    expect(keys()).toBe(before);
    expect(readdirSync(home.at('.ssh'))).toEqual(['authorized_keys']);
  });
});

describe.skipIf(sshdSkipReason !== undefined)(
  `the direct path${sshdSkipReason === undefined ? '' : ` (skipped: ${sshdSkipReason})`}`,
  () => {
    const source = new LocalHost();
    let sshd: TestSshd;
    let destination: Host;
    let directory: TemporaryDirectory;
    beforeAll(async () => {
      sshd = await startSshd();
      destination = await SshHost.connect({
        destination: 'lab',
        sshConfigFile: sshd.configFile,
        controlDirectory: sshd.controlDirectory,
      });
    });
    afterAll(async () => {
      await destination?.close();
      await sshd?.close();
    });
    beforeEach(() => {
      directory = temporaryDirectory();
    });
    afterEach(async () => {
      await closeDirectPath(source, directory.at('run'));
      directory[Symbol.dispose]();
    });
    const open = async (bandwidthLimit?: number): Promise<string> => {
      const warmUpMs = await openDirectPath({
        bandwidthLimit,
        source,
        destination,
        access: await destinationAccess('lab', sshd.configFile),
        runId: 'r1',
        runDirectory: directory.at('run'),
        imageBytes: 1_000_000,
      });
      expect(warmUpMs).toBeGreaterThanOrEqual(0);
      expect(warmUpMs).toBeLessThan(2_500);
      return directPathConfig(directory.at('run'));
    };

    test('carries rsync, any name of a file included, images, and nothing else', async () => {
      const sshConfigFile = await open();
      const [from, to] = [directory.at("a $(touch x) 'file"), directory.at('arrived;touch y')];
      writeFileSync(from, 'content');
      await copyFiles(
        { source, sshConfigFile, from, to },
        { isFirst: true, signal: new AbortController().signal },
      );
      expect(readFileSync(to, 'utf8')).toBe('content');
      expect(readdirSync(directory.path).toSorted()).toEqual([
        "a $(touch x) 'file",
        'arrived;touch y',
        'run',
      ]);

      mkdirSync(directory.at('run', 'images'));
      mkdirSync(directory.at('images'));
      writeFileSync(directory.at('images', 'pages-1.img'), 'memory');
      const sent = await source.run(
        sendImagesCommand({ sshConfigFile, from: directory.at('images') }, 'all'),
        { stdin: '.\n' },
      );
      expect(sent).toMatchObject({ exitCode: 0, stderr: '' });
      expect(readFileSync(directory.at('run', 'images', 'pages-1.img'), 'utf8')).toBe('memory');

      const refused = await source.run(['ssh', '-F', sshConfigFile, 'destination', 'id']);
      expect(refused).toMatchObject({
        exitCode: 1,
        stdout: '',
        stderr: 'this key is for the transfers of one run only\n',
      });
      const disguised = `rsync --server ; touch ${directory.at('x')}`;
      expect(await source.run(['ssh', '-F', sshConfigFile, 'destination', disguised])).not.toMatchObject({
        exitCode: 0,
      });
      expect(existsSync(directory.at('x'))).toBe(false);
    });

    test.each<Compression>(['none', 'zstd'])(
      'images whose connection breaks are told from other failures, compressed: %s',
      async (compression) => {
        const sshConfigFile = await open();
        const images = directory.at('run', 'images');
        mkdirSync(images);
        mkdirSync(directory.at('from'));
        writeFileSync(directory.at('from', 'pages-1.img'), randomBytes(200_000_000));
        const way = { source, sshConfigFile, from: `${directory.at('from')}/`, to: `${images}/` };
        const { signal } = new AbortController();
        const copy = WaitingCopy.ofImages(way, { images: 'all', compression });
        const sending = copy.send(signal);
        sending.catch(() => undefined);
        await expect.poll(() => readdirSync(images)).toEqual(['pages-1.img']);
        await sshd.endSessions();
        await expect(sending).rejects.toBeInstanceOf(BrokenTransfer);
      },
    );

    test('what waits to send ends with its connection, and sends nothing when it is interrupted', async () => {
      const sshConfigFile = await open();
      mkdirSync(directory.at('run', 'images'));
      mkdirSync(directory.at('from'));
      writeFileSync(directory.at('from', 'pages-1.img'), 'memory');
      const argv = sendImagesCommand({ sshConfigFile, from: `${directory.at('from')}/` }, 'all');
      const stop = new AbortController();
      const never = new Promise<string>(() => undefined);
      const servers = (): number =>
        readFileSync(directory.at('run', 'transfer-servers'), 'utf8').split('\n').length;
      const before = servers();
      const stopped = source.run(argv, { stdin: never, signal: stop.signal });
      await expect.poll(servers).toBe(before + 1);
      stop.abort();
      await expect(stopped).rejects.toMatchObject({ code: 'INTERRUPTED' });
      const waiting = source.run(argv, { stdin: never });
      await expect.poll(servers).toBe(before + 2);
      await sshd.endSessions();
      expect(await waiting).toMatchObject({ exitCode: 255 });
      expect(readdirSync(directory.at('run', 'images'))).toEqual([]);
    });

    test('sends no more in a second than it may, whatever goes through it', async () => {
      const sshConfigFile = await open(4_000_000);
      expect(readFileSync(sshConfigFile, 'utf8')).toContain('\n  ProxyCommand sh ');
      const [from, to] = [directory.at('large'), directory.at('arrived')];
      writeFileSync(from, randomBytes(8_000_000));
      const beganAt = performance.now();
      await copyFiles(
        { source, sshConfigFile, from, to },
        { isFirst: true, signal: new AbortController().signal },
      );
      expect(performance.now() - beganAt).toBeGreaterThan(1_500);
      expect(readFileSync(to).equals(readFileSync(from))).toBe(true);
    });

    test('says why nobody answers, with a limit, too', async () => {
      const access = await destinationAccess('lab', sshd.configFile);
      const opening = openDirectPath({
        source,
        destination,
        access: { ...access, port: 1 },
        runId: 'r1',
        runDirectory: directory.at('run'),
        imageBytes: 0,
        bandwidthLimit: 4_000_000,
      });
      await expect(opening).rejects.toMatchObject({
        code: 'TRANSFER_FAILED',
        evidence: 'connect to 127.0.0.1 port 1: Connection refused',
      });
    });

    test('is closed when the key is taken away: not even a new connection gets in', async () => {
      const sshConfigFile = await open();
      await closeDirectPath(source, directory.at('run'));
      await mustRunScript(destination, REVOKE_SCRIPT, [directory.at('run'), 'r1'], { what: 'Revoking' });
      const answer = await source.run(['ssh', '-F', sshConfigFile, 'destination', 'rsync --server']);
      expect(answer).toMatchObject({ exitCode: 255, stderr: expect.stringContaining('Permission denied') });
    });

    test('accepts the host keys that the controller knows, and no others', async () => {
      const access = await destinationAccess('lab', sshd.configFile);
      const other = readFileSync(
        `${await sshd.makeKey(`other-${directory.path.split('-').at(-1)}`)}.pub`,
        'utf8',
      );
      const opening = openDirectPath({
        source,
        destination,
        access: { ...access, hostKeys: [other.split(' ').slice(0, 2).join(' ')] },
        runId: 'r1',
        runDirectory: directory.at('run'),
        imageBytes: 0,
      });
      await expect(opening).rejects.toMatchObject({
        code: 'TRANSFER_FAILED',
        evidence: expect.stringContaining('Host key verification failed'),
      });
    });

    test('keeps its private key to its owner', async () => {
      await open();
      expect(statSync(directory.at('run', 'ssh')).mode & 0o777).toBe(0o700);
      expect(statSync(directory.at('run', 'ssh', 'key')).mode & 0o777).toBe(0o600);
    });

    test('cannot lead to this machine itself by the name `local`', async () => {
      await expect(destinationAccess('local', undefined)).rejects.toMatchObject({ code: 'TRANSFER_FAILED' });
    });
  },
);
