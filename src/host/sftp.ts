import { setTimeout as sleep } from 'node:timers/promises';
import type SftpClient from 'ssh2-sftp-client';
import { FlowError } from '../errors/flow-error.ts';
import type { Before, FileAttributes, HostFiles, OpenFile, ReadableFile } from './files.ts';
import { defaultConnectTimeoutMs, type SshTarget } from './ssh-args.ts';
import { type HostKey, knownHostKeys, type ResolvedSsh, resolveSsh } from './ssh-config.ts';
import { sshError } from './ssh-errors.ts';
import { openSocket } from './ssh-socket.ts';

/** @see draft-ietf-secsh-filexfer-02, 6.3 and 7 */
const OPEN_WRITE = 0x02;
const OPEN_CREATE = 0x08;
const OPEN_FLAGS: Readonly<Record<Before, number>> = { none: 0x20, emptied: 0x10, kept: 0 };
const NO_SUCH_FILE = 2;
const FAILURE = 4;

/** What known_hosts calls a key, and the signatures that are made with it. @see RFC 8332 */
const SIGNATURES = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
} as const;

/** Milliseconds that the key exchange and the signing in may take: agents ask hardware, hosts ask directories. */
const READY_TIMEOUT_MS = 30_000;

/** Milliseconds that a host gets to say goodbye. */
const GOODBYE_MS = 1000;

type SFTPWrapper = Awaited<ReturnType<SftpClient['connect']>>;
type Stats = Parameters<Parameters<SFTPWrapper['fstat']>[1]>[1];

/**
 * What waits for an answer. The library leaves that without one when the connection is lost. (A race of each answer with one promise
 * would keep all answers, since that promise remembers each race.)
 */
class Waiting {
  readonly #rejects = new Set<(error: unknown) => void>();
  #lost: FlowError | undefined;

  add(reject: (error: unknown) => void): void {
    if (this.#lost) reject(this.#lost);
    else this.#rejects.add(reject);
  }

  delete(reject: (error: unknown) => void): void {
    this.#rejects.delete(reject);
  }

  /** Ends all that waits, and all that comes later. */
  lose(error: FlowError): void {
    this.#lost ??= error;
    for (const reject of this.#rejects) reject(this.#lost);
    this.#rejects.clear();
  }
}

/** A connection that was opened. */
interface Connection {
  readonly sftp: SFTPWrapper;
  readonly waiting: Waiting;
  readonly end: () => Promise<void>;
}

/**
 * The files of another host, by ssh2-sftp-client: a connection of its own, to the host, port and user that ssh(1) would use, over the
 * same jump hosts. It accepts the host keys that known_hosts has, and no others; it signs in with private keys that have no
 * passphrase, and with what the agent has.
 *
 * What OpenSSH does and this cannot: certificates, a ProxyCommand, keys on hardware that no agent holds.
 */
export class SftpFiles implements HostFiles {
  readonly hostName: string;
  readonly #connection: Connection;

  private constructor(hostName: string, connection: Connection) {
    this.hostName = hostName;
    this.#connection = connection;
  }

  /** @throws FlowError HOST_UNREACHABLE, HOST_KEY_UNKNOWN, HOST_KEY_CHANGED, HOST_AUTH_FAILED, INPUT_INVALID, TOOL_MISSING */
  static async connect(target: SshTarget): Promise<SftpFiles> {
    return new SftpFiles(target.destination, await connect(target));
  }

  async openToRead(path: string): Promise<ReadableFile | undefined> {
    try {
      const handle = await this.#ask<Buffer>((done) => this.#sftp.open(path, 'r', done));
      const stats = await this.#ask<Stats>((done) => this.#sftp.fstat(handle, done));
      return { ...this.#file(path, handle), uid: stats.uid, gid: stats.gid, isFile: stats.isFile() };
    } catch (error) {
      if (codeOf(error) === NO_SUCH_FILE) return undefined;
      throw this.#failed(path, error);
    }
  }

  async openToWrite(path: string, before: Before): Promise<OpenFile> {
    const flags = OPEN_WRITE | OPEN_CREATE | OPEN_FLAGS[before];
    const handle = await this.#tell<Buffer>(path, (done) =>
      this.#sftp.open(path, flags, { mode: 0o600 }, done),
    );
    return this.#file(path, handle);
  }

  makeDirectory(path: string): Promise<void> {
    return this.#tell(path, (done) => this.#sftp.mkdir(path, { mode: 0o700 }, done));
  }

  symlink(target: string, path: string): Promise<void> {
    return this.#tell(path, (done) => this.#sftp.symlink(target, path, done));
  }

  link(existing: string, path: string): Promise<void> {
    return this.#tell(path, (done) => this.#sftp.ext_openssh_hardlink(existing, path, done));
  }

  async setAttributes(path: string, attributes: FileAttributes): Promise<void> {
    for (const each of inTurn(attributes)) {
      await this.#tell(path, (done) => this.#sftp.setstat(path, each, done));
    }
  }

  setLinkAttributes(path: string, { uid, gid, modifiedAtS }: Omit<FileAttributes, 'mode'>): Promise<void> {
    return this.#tell(path, (done) =>
      this.#sftp.ext_openssh_lsetstat(path, { uid, gid, atime: modifiedAtS, mtime: modifiedAtS }, done),
    );
  }

  close(): Promise<void> {
    return this.#connection.end();
  }

  get #sftp(): SFTPWrapper {
    return this.#connection.sftp;
  }

  #file(path: string, handle: Buffer): OpenFile {
    const sftp = this.#sftp;
    return {
      read: (position, lengthBytes) =>
        this.#tell(path, (done) =>
          sftp.read(handle, Buffer.allocUnsafe(lengthBytes), 0, lengthBytes, position, (error, _, data) =>
            done(error, data),
          ),
        ),
      write: (position, data) =>
        this.#tell(path, (done) => sftp.write(handle, data, 0, data.length, position, done)),
      setSize: (size) => this.#tell(path, (done) => sftp.fsetstat(handle, { size }, done)),
      setAttributes: async (attributes) => {
        for (const each of inTurn(attributes)) {
          await this.#tell(path, (done) => sftp.fsetstat(handle, each, done));
        }
      },
      close: () => this.#tell(path, (done) => sftp.close(handle, done)),
    };
  }

  /** One request about a file. */
  async #tell<Value = void>(path: string, request: (done: Done<Value>) => void): Promise<Value> {
    try {
      return await this.#ask(request);
    } catch (error) {
      throw this.#failed(path, error);
    }
  }

  #ask<Value>(request: (done: Done<Value>) => void): Promise<Value> {
    const { waiting } = this.#connection;
    return new Promise<Value>((resolve, reject) => {
      waiting.add(reject);
      try {
        request((error, value) => {
          waiting.delete(reject);
          if (error) reject(error);
          // Who asks for a value gets one, or an error.
          else resolve(value as Value);
        });
      } catch (error) {
        waiting.delete(reject);
        reject(new NotOffered(messageOf(error)));
      }
    });
  }

  #failed(path: string, error: unknown): FlowError {
    if (error instanceof FlowError) return error;
    if (error instanceof NotOffered) {
      return new FlowError(
        'TRANSFER_FAILED',
        `${path} needs what the SFTP server of ${this.hostName} lacks`,
        {
          host: this.hostName,
          evidence: error.message,
          hint: 'Use the sftp-server of OpenSSH 8.0 or later there, or `transfer/rsync`.',
        },
      );
    }
    const code = codeOf(error);
    // The host answers with a number; without an answer the connection is lost.
    if (typeof code !== 'number') return connectionLost(this.hostName, messageOf(error));
    return new FlowError('TRANSFER_FAILED', `${path} could not be copied`, {
      host: this.hostName,
      evidence: messageOf(error),
      // All that the protocol says of a full disk.
      ...(code === FAILURE ? { hint: 'Is a disk full?' } : {}),
    });
  }
}

/** The library throws at once what the server has not offered: an extension of OpenSSH's. */
class NotOffered extends Error {}

type Done<Value> = (error?: Error | null, value?: Value) => void;

async function connect(target: SshTarget): Promise<Connection> {
  const name = target.destination;
  const resolved = await resolveSsh(name, target.sshConfigFile);
  const knownHostsFile = resolved.userKnownHostsFiles[0] ?? '~/.ssh/known_hosts';
  const keys = await knownHostKeys(resolved);
  if (keys.length === 0) {
    throw sshError(target, `No usable host key is known for ${resolved.hostName}`, knownHostsFile);
  }
  const [{ default: Client }, { createHash }] = await Promise.all([
    import('ssh2-sftp-client'),
    import('node:crypto'),
  ]);
  const waiting = new Waiting();
  const lose = (why: string): void => waiting.lose(connectionLost(name, why));
  const socket = await openSocket(target, resolved, defaultConnectTimeoutMs);
  const client = new Client(name, {
    error: (error) => lose(messageOf(error)),
    end: () => lose('the host ended it'),
    close: () => lose('it was closed'),
  });
  let refused: string | undefined;
  try {
    const sftp = await client.connect({
      sock: socket.stream,
      ...(await identity(resolved)),
      algorithms: {
        serverHostKey: signaturesOf(keys),
        cipher: { prepend: ['aes128-gcm@openssh.com'], append: [], remove: [] },
      },
      hostVerifier: (key: Buffer): boolean => {
        if (keys.some((each) => each.key === key.toString('base64'))) return true;
        refused = createHash('sha256').update(key).digest('base64').replace(/=+$/, '');
        return false;
      },
      readyTimeout: READY_TIMEOUT_MS,
      keepaliveInterval: 2000,
      keepaliveCountMax: 3,
    });
    // Its server may end alone; the library leaves what is asked for then without an answer.
    sftp.on('close', () => lose('the SFTP server has ended'));
    return {
      sftp,
      waiting,
      end: async () => {
        lose('it was closed');
        // A host that says nothing any more does not answer that either.
        await Promise.race([client.end().catch(() => undefined), sleep(GOODBYE_MS)]);
        await socket.end();
      },
    };
  } catch (error) {
    await socket.end();
    if (refused !== undefined) {
      throw sshError(
        target,
        `Host key for ${resolved.hostName} has changed: SHA256:${refused}`,
        knownHostsFile,
      );
    }
    if (/authentication methods failed|Too many authentication failures/.test(messageOf(error)))
      throw notSignedIn(name, messageOf(error));
    throw sshError(target, `${socket.said()}\n${messageOf(error)}`, knownHostsFile);
  }
}

/** Who signs in, and with what: the library passes over keys that it cannot read. */
async function identity({ user, identityFiles, identityAgent, identitiesOnly }: ResolvedSsh): Promise<{
  readonly username: string;
  readonly authHandler: ({ type: 'publickey'; username: string; key: Buffer } | AgentMethod)[];
}> {
  const { readFile } = await import('node:fs/promises');
  const files = await Promise.all(identityFiles.map((file) => readFile(file).catch(() => undefined)));
  const keys = files.filter((key) => key !== undefined);
  return {
    username: user,
    authHandler: [
      ...keys.map((key) => ({ type: 'publickey' as const, username: user, key })),
      // An sshd lets nobody try many keys.
      ...(identityAgent === undefined || (identitiesOnly && keys.length > 0)
        ? []
        : [{ type: 'agent' as const, username: user, agent: identityAgent }]),
    ],
  };
}

interface AgentMethod {
  type: 'agent';
  username: string;
  agent: string;
}

function signaturesOf(keys: readonly HostKey[]): (typeof SIGNATURES)[keyof typeof SIGNATURES][number][] {
  const isKnown = (type: string): type is keyof typeof SIGNATURES => type in SIGNATURES;
  return keys.flatMap(({ type }) => (isKnown(type) ? [...SIGNATURES[type]] : []));
}

/**
 * In the order in which they stay: an owner that is set takes the set-user-ID bit away, and OpenSSH sets the owner last of what
 * comes in one request.
 */
function inTurn({ mode, uid, gid, modifiedAtS }: FileAttributes): readonly object[] {
  return [
    { uid, gid },
    { mode, atime: modifiedAtS, mtime: modifiedAtS },
  ];
}

function notSignedIn(host: string, evidence: string): FlowError {
  return new FlowError('HOST_AUTH_FAILED', `${host} does not accept any of the keys that SFTP offers.`, {
    host,
    evidence,
    hint: 'For SFTP criu-flow reads private keys without a passphrase, and asks the agent; it has no certificates. Load the key into the agent, or use `transfer/rsync`.',
    command: 'ssh-add',
  });
}

function connectionLost(host: string, why: string): FlowError {
  return new FlowError('HOST_UNREACHABLE', `The SFTP connection to ${host} was lost.`, {
    host,
    evidence: why,
  });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
