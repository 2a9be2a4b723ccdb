import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { FlowError } from '../errors/flow-error.ts';
import { makeControlDirectory } from './control-directory.ts';
import type { Host } from './host.ts';
import { LocalHost } from './local.ts';
import { defaultConnectTimeoutMs, type SshTarget } from './ssh-args.ts';
import { resolveSsh } from './ssh-config.ts';
import { controlPathOption, SshMaster } from './ssh-master.ts';
import { openSocket } from './ssh-socket.ts';

/** A port of 127.0.0.1 on one host, which leads through this machine to the sshd of another. */
export interface Detour {
  readonly port: number;
  /** Idempotent; never throws. */
  readonly close: () => Promise<void>;
}

/**
 * Opens a detour, over a connection of its own. What goes through it is what an ssh of that host makes of it: this machine sees none of
 * it, and the sshd of the other host has the last word.
 * @throws FlowError HOST_UNREACHABLE, HOST_KEY_UNKNOWN, HOST_KEY_CHANGED, HOST_AUTH_FAILED, TOOL_MISSING;
 *   INPUT_INVALID for a ProxyCommand; TRANSFER_FAILED when the host's sshd forwards no ports
 * @see ssh(1), -R; sshd_config(5), AllowTcpForwarding
 */
export async function openDetour(
  from: Pick<Host, 'name' | 'sshConfigFile'>,
  to: Pick<Host, 'name' | 'sshConfigFile'>,
): Promise<Detour> {
  const target = toTarget(to);
  const resolved = await resolveSsh(target.destination, target.sshConfigFile);
  // Found out now: later only the other host's ssh would hear of it.
  await (await openSocket(target, resolved, defaultConnectTimeoutMs)).end();
  const directory = await makeControlDirectory();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    openSocket(target, resolved, defaultConnectTimeoutMs).then(
      ({ stream, end }) => {
        pipeline(socket, stream, socket, () => void end());
      },
      // Its ssh says that the connection was closed, and why is said by who waits for it.
      () => socket.destroy(),
    );
  });
  let master: SshMaster | undefined;
  const close = async (): Promise<void> => {
    await master?.close();
    for (const socket of sockets) socket.destroy();
    server.close();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const path = join(directory, 'd');
    server.listen(path);
    await once(server, 'listening');
    master = await SshMaster.open({
      target: toTarget(from),
      controlDirectory: directory,
      connectTimeoutMs: defaultConnectTimeoutMs,
    });
    return { port: await forward(from.name, master, path), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function forward(hostName: string, master: SshMaster, path: string): Promise<number> {
  const { exitCode, stdout, stderr } = await new LocalHost().run([
    'ssh',
    // No forwarding of the user's own configuration is to be opened as well.
    ...['-F', '/dev/null'],
    ...controlPathOption(master.controlPath),
    ...['-O', 'forward', '-R', `127.0.0.1:0:${path}`],
    'detour',
  ]);
  const port = Number(stdout.trim());
  if (exitCode === 0 && port > 0) return port;
  throw new FlowError('TRANSFER_FAILED', `sshd on ${hostName} does not forward ports`, {
    host: hostName,
    evidence: stderr.trim().split('\n').at(-1) ?? '',
    hint: 'Set `AllowTcpForwarding` to `yes` or `remote` there, let the hosts reach each other, or use `transfer/sftp`.',
  });
}

function toTarget({ name, sshConfigFile }: Pick<Host, 'name' | 'sshConfigFile'>): SshTarget {
  return { destination: name, sshConfigFile };
}
