import { rm } from 'node:fs/promises';
import { FlowError } from '../errors/flow-error.ts';
import { connectHost } from '../host/connect.ts';
import { makeControlDirectory } from '../host/control-directory.ts';
import type { Host } from '../host/host.ts';
import type { Plan } from '../plan/plan.ts';

/** The hosts of a run, connected. */
export interface Connection {
  readonly source: Host;
  readonly destination: Host;
  readonly local: Host;
  /** Why a host is not connected: each command on it fails with that. Empty when all are. */
  readonly lost: { readonly source?: FlowError; readonly destination?: FlowError };
  close(): Promise<void>;
}

/**
 * Connects to the hosts that answer: what is left of a run must be put right, and told of, without those that do not.
 * @throws FlowError as {@link connect} does, for the source, when neither answers; INTERRUPTED
 */
export async function connectLeniently(
  plan: Plan,
  sshConfigFile: string | undefined,
  signal?: AbortSignal,
): Promise<Connection> {
  const { hosts, close } = await open(plan, sshConfigFile, signal);
  const [source, destination, local] = hosts;
  const [first, second] = [lostOf(source), lostOf(destination)];
  const isInterrupted = [first, second].some((each) => each?.code === 'INTERRUPTED');
  if (!isHost(local) || (first && second) || isInterrupted) {
    await close();
    throw reasonOf(hosts);
  }
  return {
    source: isHost(source) ? source : unreachable(plan.source, sshConfigFile, source.reason),
    destination: isHost(destination)
      ? destination
      : unreachable(plan.destination, sshConfigFile, destination.reason),
    local,
    lost: { ...(first ? { source: first } : {}), ...(second ? { destination: second } : {}) },
    close,
  };
}

function unreachable(name: string, sshConfigFile: string | undefined, error: unknown): Host {
  return {
    name,
    sshConfigFile,
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
  const { hosts, close } = await open(plan, sshConfigFile, signal);
  const [source, destination, local] = hosts;
  if (isHost(source) && isHost(destination) && isHost(local)) {
    return { source, destination, local, lost: {}, close };
  }
  await close();
  throw reasonOf(hosts);
}

/** A host, or why it is none. */
type Opened = Host | { readonly reason: unknown };

/** The source, the destination and this machine. */
async function open(
  plan: Plan,
  sshConfigFile: string | undefined,
  signal: AbortSignal | undefined,
): Promise<{ readonly hosts: readonly [Opened, Opened, Opened]; readonly close: () => Promise<void> }> {
  const controlDirectory = await makeControlDirectory();
  const options = {
    controlDirectory,
    ...(sshConfigFile === undefined ? {} : { sshConfigFile }),
    ...(signal ? { signal } : {}),
  };
  const openOne = (name: string): Promise<Opened> =>
    connectHost(name, options).catch((reason: unknown) => ({ reason }));
  const source = openOne(plan.source);
  // One host is connected to once.
  const destination = plan.kind === 'move' ? openOne(plan.destination) : source;
  const hosts = await Promise.all([source, destination, openOne('local')]);
  const close = async (): Promise<void> => {
    await Promise.all([...new Set(hosts.filter(isHost))].map((host) => host.close()));
    await rm(controlDirectory, { recursive: true, force: true });
  };
  return { hosts, close };
}

function isHost(opened: Opened): opened is Host {
  return 'run' in opened;
}

function lostOf(opened: Opened): FlowError | undefined {
  if (isHost(opened)) return undefined;
  // Anything else is a bug, and must be seen.
  if (!(opened.reason instanceof FlowError)) throw opened.reason;
  return opened.reason;
}

function reasonOf(hosts: readonly Opened[]): unknown {
  const failed = hosts.find((opened) => !isHost(opened));
  return failed && !isHost(failed) ? failed.reason : new Error('no connection');
}
