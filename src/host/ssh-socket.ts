import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { FlowError } from '../errors/flow-error.ts';
import { startLocalProcess } from './local-process.ts';
import { assertDestination, sshConfigOption, sshOptions, type SshTarget } from './ssh-args.ts';
import type { ResolvedSsh } from './ssh-config.ts';
import { sshError } from './ssh-errors.ts';

/** The way to the sshd of a host, for a client that is not ssh(1). */
export interface SshSocket {
  readonly stream: Duplex;
  /** What went wrong on the way, in ssh's words. */
  readonly said: () => string;
  /** Idempotent; never throws. */
  readonly end: () => Promise<void>;
}

/**
 * Connects by TCP, or over the jump hosts by ssh(1) itself, which signs in there.
 * @throws FlowError HOST_UNREACHABLE, INPUT_INVALID for a ProxyCommand
 * @see ssh(1), -W; ssh_config(5), ProxyJump
 */
export async function openSocket(
  target: SshTarget,
  resolved: ResolvedSsh,
  connectTimeoutMs: number,
): Promise<SshSocket> {
  if (resolved.proxyCommand !== undefined) {
    throw new FlowError('INPUT_INVALID', `${target.destination} is reached by a ProxyCommand.`, {
      host: target.destination,
      hint: 'SFTP goes over jump hosts only: name them with ProxyJump in ssh_config, or use `transfer/rsync`.',
    });
  }
  if (resolved.proxyJump !== undefined) return jump(target, resolved, resolved.proxyJump, connectTimeoutMs);
  return dial(target, resolved, connectTimeoutMs);
}

async function dial(
  target: SshTarget,
  { hostName: host, port }: ResolvedSsh,
  timeoutMs: number,
): Promise<SshSocket> {
  // Without a delay: else a write waits for the acknowledgement of the one before, which the other kernel delays.
  const socket = connect({ host, port, noDelay: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
      socket.setTimeout(timeoutMs, () => reject(new Error('Connection timed out')));
    });
    socket.setTimeout(0);
  } catch (error) {
    socket.destroy();
    throw sshError(target, reasonOf(error), '');
  }
  return {
    stream: socket,
    said: () => '',
    end: async () => {
      socket.destroy();
    },
  };
}

async function jump(
  target: SshTarget,
  { hostName, port }: ResolvedSsh,
  hops: string,
  timeoutMs: number,
): Promise<SshSocket> {
  const [last = '', ...before] = hops.split(',').toReversed();
  assertDestination(last);
  let said = '';
  const stream = new Duplex({
    // What comes is bounded by what was asked for.
    read: () => undefined,
    write: (chunk, _, done) => {
      child.stdin?.write(chunk, () => done());
    },
  });
  const child = await startLocalProcess(
    [
      'ssh',
      ...sshConfigOption(target),
      ...['-S', 'none', '-o', 'ControlMaster=no'],
      ...sshOptions(timeoutMs),
      ...(before.length > 0 ? ['-J', before.toReversed().join(',')] : []),
      ...['-W', `[${hostName}]:${port}`],
      '--',
      last.startsWith('ssh://') ? last : `ssh://${last}`,
    ],
    {
      stdin: 'open',
      onStdout: (chunk) => stream.push(chunk),
      onStderr: (chunk) => {
        said = (said + chunk.toString()).slice(-4096);
      },
    },
  );
  void child.ended.then(() => stream.push(null));
  return {
    stream,
    said: () => said,
    end: async () => {
      stream.destroy();
      await child.endGroup();
    },
  };
}

/** In ssh's words. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  switch ('code' in error ? error.code : undefined) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `Could not resolve hostname: ${error.message}`;
    case 'ECONNREFUSED':
      return `Connection refused: ${error.message}`;
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `No route to host: ${error.message}`;
    default:
      return error.message;
  }
}
