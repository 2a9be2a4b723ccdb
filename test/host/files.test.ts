import { execFileSync } from 'node:child_process';
import { lstat, mkdtemp, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { HostFiles } from '../../src/host/files.ts';
import { openFiles } from '../../src/host/open-files.ts';
import { sshdSkipReason, startSshd, type TestSshd } from '../helpers/sshd.ts';

const CODES = { code: 'TRANSFER_FAILED', evidence: expect.stringMatching(/./) };

/** What all files of hosts do. They are on this machine in either case, so that effects can be seen from here. */
function describeFiles(name: string, open: () => Promise<HostFiles>): void {
  describe(name, () => {
    let files: HostFiles;
    let directory: string;
    beforeAll(async () => {
      files = await open();
    });
    afterAll(() => files?.close());
    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'cf-files-'));
    });
    afterEach(() => rm(directory, { recursive: true, force: true }));
    const at = (path: string): string => join(directory, path);

    test('what is written is for root alone, and read again', async () => {
      const file = await files.openToWrite(at('a'), 'none');
      await Promise.all([file.write(3, Buffer.from('def')), file.write(0, Buffer.from('abc'))]);
      await file.close();
      expect((await stat(at('a'))).mode & 0o777).toBe(0o600);
      const back = await files.openToRead(at('a'));
      expect((await back?.read(1, 100))?.toString()).toBe('bcdef');
      expect(await back?.read(6, 100)).toHaveLength(0);
      await back?.close();
    });

    test('what was there before is kept, emptied, or in the way', async () => {
      await writeFile(at('a'), 'before');
      await (await files.openToWrite(at('a'), 'kept')).close();
      expect(await readFile(at('a'), 'utf8')).toBe('before');
      await (await files.openToWrite(at('a'), 'emptied')).close();
      expect(await readFile(at('a'), 'utf8')).toBe('');
      await expect(files.openToWrite(at('a'), 'none')).rejects.toMatchObject(CODES);
    });

    test('sizes, owners, modes with set-user-ID, and times', async () => {
      const file = await files.openToWrite(at('a'), 'none');
      await file.setSize(1 << 20);
      const attributes = { mode: 0o4751, uid: 123, gid: 456, modifiedAtS: 1_234_567_890 };
      await file.setAttributes(attributes);
      await file.close();
      await files.makeDirectory(at('d'));
      expect((await stat(at('d'))).mode & 0o7777).toBe(0o700);
      await files.setAttributes(at('d'), attributes);
      const expected = { uid: 123, gid: 456, mtimeMs: 1_234_567_890_000 };
      expect(await stat(at('a'))).toMatchObject({ ...expected, size: 1 << 20, blocks: 0 });
      expect(await stat(at('d'))).toMatchObject(expected);
      expect((await stat(at('a'))).mode & 0o7777).toBe(0o4751);
      expect((await stat(at('d'))).mode & 0o7777).toBe(0o4751);
    });

    test('links', async () => {
      await files.symlink('nowhere ü', at('s'));
      await files.setLinkAttributes(at('s'), { uid: 5, gid: 6, modifiedAtS: 7 });
      expect(await readlink(at('s'))).toBe('nowhere ü');
      expect(await lstat(at('s'))).toMatchObject({ uid: 5, gid: 6, mtimeMs: 7000 });
      await writeFile(at('a'), 'x');
      await files.link(at('a'), at('b'));
      expect((await stat(at('b'))).ino).toBe((await stat(at('a'))).ino);
    });

    test('what is not there is undefined to read, and an error with the words of the system else', async () => {
      expect(await files.openToRead(at('none'))).toBeUndefined();
      await expect(files.makeDirectory(at('no/ne'))).rejects.toMatchObject({
        ...CODES,
        host: files.hostName,
        message: expect.stringContaining(at('no/ne')),
      });
    });
  });
}

describeFiles('files of this machine', () => openFiles({ name: 'local' }));

describe.skipIf(sshdSkipReason !== undefined)(
  `files by SFTP${sshdSkipReason === undefined ? '' : ` (skipped: ${sshdSkipReason})`}`,
  () => {
    let sshd: TestSshd;
    beforeAll(async () => {
      sshd = await startSshd(['AllowTcpForwarding yes']);
    });
    afterAll(() => sshd?.close());

    describeFiles('files of another machine', () =>
      openFiles({ name: 'lab', sshConfigFile: sshd.configFile }),
    );

    const reach = async (changes: Readonly<Record<string, string>>): Promise<HostFiles> =>
      openFiles({ name: 'lab', sshConfigFile: await sshd.writeConfig('other', changes) });

    test('a host key that is not known is refused, and one that is another', async () => {
      await expect(reach({ UserKnownHostsFile: '/dev/null' })).rejects.toMatchObject({
        code: 'HOST_KEY_UNKNOWN',
        host: 'lab',
      });
      const key = await readFile(`${await sshd.makeKey('another')}.pub`, 'utf8');
      await writeFile(join(sshd.directory, 'others'), `[127.0.0.1]:${sshd.port} ${key}`);
      await expect(reach({ UserKnownHostsFile: join(sshd.directory, 'others') })).rejects.toMatchObject({
        code: 'HOST_KEY_CHANGED',
        message: expect.stringMatching(/The host now shows SHA256:/),
      });
    });

    test('a key that the host does not accept, and none at all', async () => {
      const refused = { code: 'HOST_AUTH_FAILED', hint: expect.stringContaining('transfer/rsync') };
      const config = { IdentityFile: await sshd.makeKey('stranger'), IdentityAgent: 'none' };
      await expect(reach(config)).rejects.toMatchObject(refused);
      await expect(reach({ IdentityFile: '/none', IdentityAgent: 'none' })).rejects.toMatchObject(refused);
    });

    test('a port where nobody listens', async () => {
      await expect(reach({ Port: '1', HostKeyAlias: `[127.0.0.1]:${sshd.port}` })).rejects.toMatchObject({
        code: 'HOST_UNREACHABLE',
        message: expect.stringContaining('it refuses connections on that port'),
      });
    });

    test('over a jump host, by ssh itself', async () => {
      const config = await sshd.writeConfig('jump', { ProxyJump: 'gate' });
      const gate = (await readFile(sshd.configFile, 'utf8')).replace('Host lab', 'Host gate');
      await writeFile(config, (await readFile(config, 'utf8')) + gate);
      const files = await openFiles({ name: 'lab', sshConfigFile: config });
      const file = await files.openToRead(sshd.knownHostsFile);
      expect((await file?.read(0, 1000))?.toString()).toContain(String(sshd.port));
      await files.close();
    });

    test('a ProxyCommand is refused', async () => {
      await expect(reach({ ProxyCommand: 'true' })).rejects.toMatchObject({ code: 'INPUT_INVALID' });
    });

    test('a connection that is closed ends what waits for an answer that never comes', async () => {
      const stuck = await startSshd();
      const files = await openFiles({ name: 'lab', sshConfigFile: stuck.configFile });
      execFileSync('mkfifo', [join(stuck.directory, 'fifo')]);
      const opening = files.openToRead(join(stuck.directory, 'fifo'));
      opening.catch(() => undefined);
      await files.close();
      await expect(opening).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
      await stuck.close();
    });

    test('a connection that breaks ends what waits for an answer', async () => {
      const broken = await startSshd();
      const files = await openFiles({ name: 'lab', sshConfigFile: broken.configFile });
      const file = await files.openToRead('/dev/zero');
      const endless = (async () => {
        for (;;) await file?.read(0, 100_000);
      })();
      await broken.endSessions();
      await expect(endless).rejects.toMatchObject({ code: 'HOST_UNREACHABLE', host: 'lab' });
      await expect(files.openToRead('/')).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
      await files.close();
      await broken.close();
    });
  },
);
