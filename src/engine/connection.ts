import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FlowError } from '../errors/flow-error.ts';
import { connectHost } from '../host/connect.ts';
import type { Host } from '../host/host.ts';
import type { Plan } from '../plan/plan.ts';

/** The hosts of a run, connected. */
export interface Connection {
  readonly source: Host;
  readonly destination: Host;
  readonly local: Host;
  close(): Promise<void>;
}

/**
 * Connects to both hosts, of which the destination may be gone: then each command on it fails as the connection did.
 * @throws FlowError as {@link connect} does, for the source
 */
export async function connectLeniently(
  plan: Plan,
  sshConfigFile: string | undefined,
  signal?: AbortSignal,
): Promise<Connection> {
  try {
    return await connect(plan, sshConfigFile, signal);
  } catch (error) {
    if (!(error instanceof FlowError) || error.host !== plan.destination) throw error;
    const alone = await connect({ ...plan, destination: 'local' }, sshConfigFile, signal);
    return { ...alone, destination: unreachable(plan.destination, error) };
  }
}

function unreachable(name: string, error: FlowError): Host {
  return {
    name,
    run: () => Promise.reject(error),
    standBy: async () => undefined,
    close: async () => undefined,
  };
}

/**
 * Connects to both hosts at once, unless the signal ends that, with its reason.
 * @throws FlowError HOST_UNREACHABLE, HOST_KEY_UNKNOWN, HOST_KEY_CHANGED, HOST_AUTH_FAILED; nothing stays open then.
 */
export async function connect(
  plan: Plan,
  sshConfigFile: string | undefined,
  signal?: AbortSignal,
): Promise<Connection> {
  // Short: a unix socket's path has 108 bytes, and ssh adds to it (unix(7)).
  const controlDirectory = await mkdtemp(join(tmpdir(), 'cf-'));
  const options = {
    controlDirectory,
    ...(sshConfigFile === undefined ? {} : { sshConfigFile }),
    ...(signal ? { signal } : {}),
  };
  const results = await Promise.allSettled(
    [plan.source, plan.destination, 'local'].map((name) => connectHost(name, options)),
  );
  const hosts = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const close = async (): Promise<void> => {
    await Promise.all(hosts.map((host) => host.close()));
    await rm(controlDirectory, { recursive: true, force: true });
  };
  const [source, destination, local] = hosts;
  const failed = results.find((result) => result.status === 'rejected');
  if (failed || !source || !destination || !local) {
    await close();
    throw failed?.reason instanceof Error ? failed.reason : new Error('no connection');
  }
  return { source, destination, local, close };
}
