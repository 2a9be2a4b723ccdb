import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, connect as connectSocket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const sshdProgram = '/usr/sbin/sshd';

/** Why no sshd can be started here; undefined when one can. Tests that need one are skipped with this reason. */
export const sshdSkipReason: string | undefined = existsSync(sshdProgram)
  ? undefined
  : `${sshdProgram} is not installed (Debian: apt-get install --no-install-recommends openssh-server)`;

/** A real sshd on 127.0.0.1 with keys of its own, and a client configuration that reaches it as `lab`. */
export interface TestSshd {
  /** Holds everything of this sshd; removed by close(). */
  readonly directory: string;
  readonly port: number;
  /** ssh_config(5) with the alias `lab`. */
  readonly configFile: string;
  readonly knownHostsFile: string;
  /** `ssh-ed25519 AAAA…`, without a comment. */
  readonly hostKey: string;
  /** Short and private: for ssh's sockets. */
  readonly controlDirectory: string;
  /** Writes another client configuration; `{ UserKnownHostsFile: … }` replaces what the usual one says. */
  writeConfig(name: string, changes: Readonly<Record<string, string>>): Promise<string>;
  /** Makes a key pair and returns the file of the private one. */
  makeKey(name: string): Promise<string>;
  /** Ends every connection to it, as a network that breaks does, and takes new ones. */
  endSessions(): Promise<void>;
  /** Ends sshd and every connection to it. */
  close(): Promise<void>;
}

/**
 * @param settings further lines of sshd_config(5)
 * @throws Error whose message is {@link sshdSkipReason} when sshd is missing
 */
export async function startSshd(settings: readonly string[] = []): Promise<TestSshd> {
  if (sshdSkipReason !== undefined) throw new Error(sshdSkipReason);
  const directory = await mkdtemp(join(tmpdir(), 'cf-sshd-'));
  const at = (name: string): string => join(directory, name);
  // Where sshd, as root, shuts its unprivileged half in; normally made by the service that is not started here.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  const makeKey = async (name: string): Promise<string> => {
    const made = spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', at(name)]);
    if (made.status !== 0) throw new Error(`ssh-keygen: ${made.stderr.toString()}`);
    return at(name);
  };
  await makeKey('host_key');
  await makeKey('user_key');
  const port = await freePort();
  const hostKey = (await readFile(at('host_key.pub'), 'utf8')).split(' ').slice(0, 2).join(' ');
  await writeFile(at('known_hosts'), `[127.0.0.1]:${port} ${hostKey}\n`);
  await writeFile(
    at('sshd_config'),
    [
      'ListenAddress 127.0.0.1',
      `Port ${port}`,
      `HostKey ${at('host_key')}`,
      // The second is the one in its HOME.
      `AuthorizedKeysFile ${at('user_key.pub')} ${at('.ssh/authorized_keys')}`,
      `PidFile ${at('sshd.pid')}`,
      'UsePAM no',
      'StrictModes no',
      'PermitRootLogin yes',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PrintMotd no',
      'PrintLastLog no',
      // bash, started by sshd, reads ~/.bashrc before each command: somebody's own can cost 100 ms and print things.
      'Subsystem sftp internal-sftp',
      // sshd takes the first SetEnv only, so a test's own comes before this one.
      ...settings,
      `SetEnv HOME=${directory}`,
      '',
    ].join('\n'),
  );
  const writeConfig = async (name: string, changes: Readonly<Record<string, string>>): Promise<string> => {
    const values: Record<string, string> = {
      HostName: '127.0.0.1',
      Port: String(port),
      User: userInfo().username,
      IdentityFile: at('user_key'),
      IdentitiesOnly: 'yes',
      UserKnownHostsFile: at('known_hosts'),
      GlobalKnownHostsFile: '/dev/null',
      ...changes,
    };
    const lines = Object.entries(values).map(([key, value]) => `  ${key} ${value}`);
    await writeFile(at(name), ['Host lab', ...lines, ''].join('\n'));
    return at(name);
  };
  const configFile = await writeConfig('ssh_config', {});
  // -D: stays our child, so that it is ended by its own process id and by nothing else.
  const daemon = spawn(sshdProgram, ['-D', '-e', '-f', at('sshd_config')], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const log: Buffer[] = [];
  daemon.stderr.on('data', (chunk: Buffer) => log.push(chunk));
  const exited = once(daemon, 'exit');
  const close = async (): Promise<void> => {
    if (daemon.exitCode === null && daemon.signalCode === null) {
      daemon.kill('SIGTERM');
      await exited;
    }
    await rm(directory, { recursive: true, force: true });
  };
  const endSessions = async (): Promise<void> => {
    const children = await readFile(`/proc/${daemon.pid}/task/${daemon.pid}/children`, 'utf8');
    for (const pid of children.split(' ').filter(Boolean)) process.kill(Number(pid), 'SIGKILL');
  };
  for (let attempt = 0; !(await accepts(port)); attempt += 1) {
    if (daemon.exitCode !== null || attempt > 200) {
      await close();
      throw new Error(`sshd did not start: ${Buffer.concat(log).toString()}`);
    }
    await sleep(25);
  }
  return {
    directory,
    port,
    configFile,
    knownHostsFile: at('known_hosts'),
    hostKey,
    controlDirectory: at('c'),
    writeConfig,
    makeKey,
    endSessions,
    close,
  };
}

/** A port of 127.0.0.1 on which nobody listens right now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectSocket(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
