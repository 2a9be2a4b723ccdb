import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Host } from '../../src/host/host.ts';
import { knownHostKeys, resolveSsh } from '../../src/host/ssh-config.ts';
import { runScript } from '../../src/host/shell.ts';
import { SshHost } from '../../src/host/ssh.ts';
import type { TestSshd } from '../helpers/sshd.ts';
import { freePort, sshdSkipReason, startSshd } from '../helpers/sshd.ts';
import { describeHostContract } from './host-contract.ts';

/** The same host, each of whose commands finds a channel that stands by. */
function standingBy(host: SshHost): Host {
  return {
    name: host.name,
    run: async (...args) => {
      await host.standBy(1);
      return host.run(...args);
    },
    standBy: (count) => host.standBy(count),
    close: () => host.close(),
  };
}

describe.skipIf(sshdSkipReason !== undefined)(
  `over ssh${sshdSkipReason === undefined ? '' : ` (skipped: ${sshdSkipReason})`}`,
  () => {
    let sshd: TestSshd;

    beforeAll(async () => {
      sshd = await startSshd();
    });
    afterAll(async () => {
      await sshd?.close();
    });

    const connect = (configFile = sshd.configFile, destination = 'lab'): Promise<SshHost> =>
      SshHost.connect({
        destination,
        sshConfigFile: configFile,
        controlDirectory: sshd.controlDirectory,
        connectTimeoutMs: 5000,
      });

    /** The masters, by the sockets they listen on. */
    const sockets = async (): Promise<string[]> =>
      (await readdir(sshd.controlDirectory)).map((name) => join(sshd.controlDirectory, name));

    describeHostContract('a machine behind ssh', () => connect());
    describeHostContract('a machine behind ssh whose channels stand by', async () =>
      standingBy(await connect()),
    );

    describe('channels that stand by', () => {
      /** When the shell began that runs our command, and what the host's clock said before, in ticks since boot. */
      const BEGAN_SCRIPT = `set -- $(sed 's/^.*) //' /proc/$PPID/stat); shift 19; echo "$1"`;
      const ticksNow = async (): Promise<number> =>
        Math.floor(Number((await readFile('/proc/uptime', 'utf8')).split(' ')[0]) * 100);
      const beganBefore = async (host: SshHost): Promise<boolean> => {
        const now = await ticksNow();
        return Number((await runScript(host, BEGAN_SCRIPT)).stdout) < now;
      };

      it('serve one command each, then commands begin as before', async () => {
        const host = await connect();
        await host.standBy(2);
        await sleep(20);
        const served = [await beganBefore(host), await beganBefore(host), await beganBefore(host)];
        expect(served).toEqual([true, true, false]);
        await host.close();
      });

      it('that were lost with their connection are not used', async () => {
        const host = await connect();
        await host.standBy(2);
        const { stdout } = await runScript(host, `awk '/^PPid:/ { print $2 }' /proc/$PPID/status`);
        process.kill(Number(stdout), 'SIGKILL');
        const answer = async (): Promise<string> =>
          (await host.run(['echo', 'here']).catch(() => ({ stdout: '' }))).stdout;
        await expect.poll(answer).toBe('here\n');
        await host.close();
      });

      it('are as many as sshd allows, and take nothing from other commands', async () => {
        const narrow = await startSshd(['MaxSessions 2']);
        const host = await connect(narrow.configFile);
        await host.standBy(4);
        const texts = await Promise.all(['1', '2', '3'].map((word) => host.run(['echo', word])));
        expect(texts.map(({ stdout }) => stdout)).toEqual(['1\n', '2\n', '3\n']);
        await host.close();
        await narrow.close();
      });

      it('are deaf to what a login script prints', async () => {
        const noisy = await startSshd([
          `ForceCommand printf 'Welcome\\n'; echo Warning >&2; eval "$SSH_ORIGINAL_COMMAND"`,
        ]);
        const host = await connect(noisy.configFile);
        await host.standBy(1);
        const result = await runScript(host, 'echo out; echo err >&2');
        expect(result).toEqual({ exitCode: 0, stdout: 'out\n', stderr: 'err\n' });
        await host.close();
        await noisy.close();
      });

      it('of a host that is gone are none, and no error', async () => {
        const host = await connect();
        await host.close();
        await host.standBy(1);
      });
    });

    describe('a host that cannot be asked', () => {
      it('is refused when its key is not known, even with accept-new in ssh_config', async () => {
        const knownHosts = join(sshd.directory, 'empty');
        await writeFile(knownHosts, '');
        const config = await sshd.writeConfig('unknown', {
          UserKnownHostsFile: knownHosts,
          StrictHostKeyChecking: 'accept-new',
        });
        const error = await connect(config).catch((reason: unknown) => reason);
        expect(error).toMatchObject({
          code: 'HOST_KEY_UNKNOWN',
          host: 'lab',
          message: 'The host key of lab is not known.',
          command: `ssh -F ${config} -o StrictHostKeyChecking=ask -o BatchMode=no -- lab true`,
        });
        expect(error).toHaveProperty('hint', expect.stringContaining(knownHosts));
        expect(error).toHaveProperty('evidence', expect.stringMatching(/^No ED25519 host key is known for /));
        expect(await readFile(knownHosts, 'utf8')).toBe('');
      });

      it('is refused when its key has changed, with the place of the old one', async () => {
        const other = await readFile(`${await sshd.makeKey('other_key')}.pub`, 'utf8');
        const knownHosts = join(sshd.directory, 'changed');
        await writeFile(knownHosts, `# a comment\n[127.0.0.1]:${sshd.port} ${other}`);
        const config = await sshd.writeConfig('changed_config', { UserKnownHostsFile: knownHosts });
        const error = await connect(config).catch((reason: unknown) => reason);
        expect(error).toMatchObject({
          code: 'HOST_KEY_CHANGED',
          host: 'lab',
          command: `ssh-keygen -f ${knownHosts} -R '[127.0.0.1]:${sshd.port}'`,
        });
        expect(error).toHaveProperty('message', expect.stringContaining(`${knownHosts}:2`));
        expect(error).toHaveProperty('message', expect.stringMatching(/SHA256:[A-Za-z0-9+/]{43}\.$/));
        expect(error).toHaveProperty('hint', expect.stringContaining('before anything else'));
      });

      it('is refused when its key is revoked', async () => {
        const knownHosts = join(sshd.directory, 'revoked');
        await writeFile(
          knownHosts,
          `@revoked * ${sshd.hostKey}\n${await readFile(sshd.knownHostsFile, 'utf8')}`,
        );
        const config = await sshd.writeConfig('revoked_config', { UserKnownHostsFile: knownHosts });
        await expect(connect(config)).rejects.toMatchObject({
          code: 'HOST_KEY_CHANGED',
          message: 'The host key of lab is marked as revoked.',
        });
        expect(await knownHostKeys(await resolveSsh('lab', config))).toEqual([]);
      });

      it('does not accept our key', async () => {
        const config = await sshd.writeConfig('denied', { IdentityFile: await sshd.makeKey('stranger') });
        await expect(connect(config)).rejects.toMatchObject({
          code: 'HOST_AUTH_FAILED',
          evidence: expect.stringContaining('Permission denied (publickey)') as string,
        });
      });

      it('refuses the connection', async () => {
        const config = await sshd.writeConfig('refused', { Port: String(await freePort()) });
        await expect(connect(config)).rejects.toMatchObject({
          code: 'HOST_UNREACHABLE',
          message: 'lab cannot be reached: it refuses connections on that port.',
          evidence: expect.stringContaining('Connection refused') as string,
        });
      });

      it('has a name that nobody knows', async () => {
        const config = await sshd.writeConfig('unnamed', { HostName: 'no-such-host.invalid' });
        await expect(connect(config)).rejects.toMatchObject({
          code: 'HOST_UNREACHABLE',
          message: 'lab cannot be reached: its name cannot be resolved.',
        });
      });

      it('accepts the connection and never says a word', async () => {
        const { createServer } = await import('node:net');
        const server = createServer().listen(0, '127.0.0.1');
        await once(server, 'listening');
        const address = server.address();
        const port = typeof address === 'object' && address !== null ? address.port : 0;
        const config = await sshd.writeConfig('silent', { Port: String(port) });
        const run = SshHost.connect({
          destination: 'lab',
          sshConfigFile: config,
          controlDirectory: sshd.controlDirectory,
          connectTimeoutMs: 1000,
        });
        await expect(run).rejects.toMatchObject({
          code: 'HOST_UNREACHABLE',
          message: 'lab cannot be reached: it does not answer.',
        });
        server.close();
      });

      it('is no host at all', async () => {
        for (const destination of ['-oProxyCommand=touch /tmp/x', '', 'a b', 'a\nb', '-']) {
          await expect(connect(sshd.configFile, destination)).rejects.toMatchObject({
            code: 'INPUT_INVALID',
          });
          await expect(resolveSsh(destination)).rejects.toMatchObject({ code: 'INPUT_INVALID' });
        }
      });

      it('has a configuration that ssh refuses', async () => {
        const config = join(sshd.directory, 'broken');
        await writeFile(config, 'Host lab\n  NoSuchOption yes\n');
        await expect(connect(config)).rejects.toMatchObject({
          code: 'HOST_UNREACHABLE',
          message: 'lab cannot be reached: ssh does not accept its configuration.',
        });
        await expect(resolveSsh('lab', config)).rejects.toMatchObject({ code: 'INPUT_INVALID' });
      });

      it('leaves no socket behind', async () => {
        expect(await sockets()).toEqual([]);
      });
    });

    describe('a connection', () => {
      it('that is lost in the middle of a command leaves the outcome unknown; the next command gets a new one', async () => {
        const host = await connect();
        const [socket] = await sockets();
        const lost = runScript(host, 'echo begun; sleep 3');
        setTimeout(() => spawnSync('ssh', ['-S', socket ?? '', '-O', 'exit', 'lab']), 300);
        await expect(lost).rejects.toMatchObject({
          code: 'HOST_UNREACHABLE',
          host: 'lab',
          message: 'The connection to lab was lost while "sh" ran: whether it finished is not known.',
        });
        expect((await runScript(host, 'echo again')).stdout).toBe('again\n');
        await host.close();
      });

      it('whose master was killed leaves a socket that is not used again', async () => {
        const host = await connect();
        const [socket] = await sockets();
        const check = spawnSync('ssh', ['-S', socket ?? '', '-O', 'check', 'lab']);
        const pid = Number(/pid=(\d+)/.exec(check.stderr.toString())?.[1]);
        const file = join(sshd.directory, 'times');
        const lost = runScript(host, 'echo x >>"$1"; sleep 1', [file]);
        await sleep(200);
        process.kill(pid, 'SIGKILL');
        await expect(lost).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
        const answers = await Promise.all(['a', 'b', 'c'].map((word) => host.run(['echo', word])));
        expect(answers.map(({ stdout }) => stdout)).toEqual(['a\n', 'b\n', 'c\n']);
        await sleep(1000);
        expect(await readFile(file, 'utf8')).toBe('x\n');
        await host.close();
      });

      it('tells a killed command from a lost connection', async () => {
        const host = await connect();
        // The whole group: also the shell that would have reported.
        const result = await runScript(host, 'echo out; kill -s KILL 0');
        expect(result).toEqual({ exitCode: 137, stdout: 'out\n', stderr: '' });
        await host.close();
      });

      it('is over after close, and its commands with it', async () => {
        const host = await connect();
        const running = runScript(host, 'sleep 5');
        const outcome = expect(running).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
        await sleep(200);
        await host.close();
        await outcome;
        await expect(host.run(['true'])).rejects.toMatchObject({
          code: 'HOST_UNREACHABLE',
          message: 'The connection to lab is closed.',
        });
      });

      it('does not outlive a controller that was killed', async () => {
        const directory = await mkdtemp(join(tmpdir(), 'cf-c-'));
        // What the master hangs on, without the rest of criu-flow: a pipe held by a process that is killed.
        const args = [
          '-F',
          sshd.configFile,
          '-M',
          '-S',
          join(directory, 's'),
          'lab',
          'echo ready; exec cat >/dev/null',
        ];
        const controller = spawn(
          process.execPath,
          [
            '-e',
            `const c = require('node:child_process').spawn('ssh', ${JSON.stringify(args)}, { detached: true, stdio: ['pipe', 'pipe', 'ignore'] });
           c.stdout.on('data', () => console.log(c.pid));`,
          ],
          { stdio: ['ignore', 'pipe', 'inherit'] },
        );
        const [line] = (await once(controller.stdout, 'data')) as [Buffer];
        const master = Number(line.toString());
        expect(() => process.kill(master, 0)).not.toThrow();
        controller.kill('SIGKILL');
        const ended = async (): Promise<boolean> => {
          const stat = await readFile(`/proc/${master}/stat`, 'utf8').catch(() => '');
          return stat === '' || stat.includes(') Z ');
        };
        await expect.poll(ended, { timeout: 5000 }).toBe(true);
        await rm(directory, { recursive: true, force: true });
      });

      it('gives way to others when sshd allows no more channels on it', async () => {
        const narrow = await startSshd(['MaxSessions 2']);
        const host = await SshHost.connect({
          destination: 'lab',
          sshConfigFile: narrow.configFile,
          controlDirectory: narrow.controlDirectory,
        });
        const results = await Promise.all(
          ['1', '2', '3'].map((word) => runScript(host, 'sleep 0.5; echo "$1"', [word])),
        );
        expect(results.map(({ stdout }) => stdout)).toEqual(['1\n', '2\n', '3\n']);
        await expect(runScript(host, 'sleep 20', [], { timeoutMs: 300 })).rejects.toMatchObject({
          code: 'TIMEOUT',
        });
        await host.close();
        await narrow.close();
      });

      it('is not disturbed by what a login script prints', async () => {
        const noisy = await startSshd([
          `ForceCommand printf 'Welcome\\n'; echo Warning >&2; eval "$SSH_ORIGINAL_COMMAND"`,
        ]);
        const host = await SshHost.connect({
          destination: 'lab',
          sshConfigFile: noisy.configFile,
          controlDirectory: noisy.controlDirectory,
        });
        const lines: string[] = [];
        const result = await runScript(host, 'echo out; echo err >&2', [], {
          onLine: (line) => lines.push(line),
        });
        expect(result).toEqual({ exitCode: 0, stdout: 'out\n', stderr: 'err\n' });
        expect(lines).toEqual(['out']);
        await host.close();
        await noisy.close();
      });

      it('is one for all commands, so that each costs one round trip', async () => {
        const host = await connect();
        const ports = new Set<string>();
        for (let index = 0; index < 5; index += 1) {
          const results = await Promise.all([1, 2, 3].map(() => runScript(host, 'echo "$SSH_CONNECTION"')));
          for (const { stdout } of results) ports.add(stdout);
        }
        await host.close();
        // The other end's address and port: another connection has another port.
        expect([...ports]).toEqual([expect.stringMatching(/^\S+ \d+ \S+ \d+\n$/)]);
      });
    });

    describe('the control directory', () => {
      it('must be private', async () => {
        const directory = join(sshd.directory, 'open');
        await mkdir(directory);
        await chmod(directory, 0o755);
        const open = SshHost.connect({
          destination: 'lab',
          sshConfigFile: sshd.configFile,
          controlDirectory: directory,
        });
        await expect(open).rejects.toMatchObject({
          code: 'INPUT_INVALID',
          command: `chmod 700 ${directory}`,
        });
      });

      it('must have a short name', async () => {
        const directory = join(sshd.directory, 'x'.repeat(90));
        const long = SshHost.connect({
          destination: 'lab',
          sshConfigFile: sshd.configFile,
          controlDirectory: directory,
        });
        await expect(long).rejects.toMatchObject({ code: 'INPUT_INVALID' });
      });

      it('may hold a percent sign and a space', async () => {
        const host = await SshHost.connect({
          destination: 'lab',
          sshConfigFile: sshd.configFile,
          controlDirectory: join(sshd.directory, 'a %h b'),
        });
        expect((await host.run(['echo', 'x'])).stdout).toBe('x\n');
        await host.close();
      });
    });

    describe('what ssh makes of a name', () => {
      it('is asked of ssh itself', async () => {
        expect(await resolveSsh('lab', sshd.configFile)).toMatchObject({
          hostName: '127.0.0.1',
          port: sshd.port,
          userKnownHostsFiles: [sshd.knownHostsFile],
          globalKnownHostsFiles: [],
        });
        const aliased = await sshd.writeConfig('aliased', { HostKeyAlias: 'The-Lab', User: 'somebody' });
        // ssh itself turns it into lower case.
        expect(await resolveSsh('lab', aliased)).toMatchObject({ user: 'somebody', hostKeyAlias: 'the-lab' });
      });

      it('leads to the keys it is known by: plain, hashed, by alias, by the name without a port', async () => {
        const [type = '', key = ''] = sshd.hostKey.split(' ');
        const keysWith = async (
          text: string,
          changes: Readonly<Record<string, string>> = {},
          hash = false,
        ) => {
          const file = join(sshd.directory, 'lookup');
          await writeFile(file, text);
          if (hash) spawnSync('ssh-keygen', ['-H', '-f', file]);
          const config = await sshd.writeConfig('lookup_config', {
            UserKnownHostsFile: `/nonexistent ${file}`,
            ...changes,
          });
          return knownHostKeys(await resolveSsh('lab', config));
        };
        const known = [{ type, key }];
        const line = `[127.0.0.1]:${sshd.port} ${sshd.hostKey} a comment\n`;
        expect(await keysWith(line)).toEqual(known);
        expect(await keysWith(line, {}, true)).toEqual(known);
        expect(await keysWith(`127.0.0.1 ${sshd.hostKey}\n`)).toEqual(known);
        expect(await keysWith(`the-lab ${sshd.hostKey}\n`, { HostKeyAlias: 'The-Lab' })).toEqual(known);
        expect(await keysWith(line, { HostKeyAlias: 'other' })).toEqual([]);
        expect(await keysWith(`@cert-authority * ${sshd.hostKey}\n`)).toEqual([]);
        expect(await keysWith('')).toEqual([]);
      });
    });
  },
);
