import { posix } from 'node:path';
import type { OutsideSocket, ProcessFacts, WorkloadFacts } from './facts.ts';

/** What criu must be told of a workload. */
export interface CriuNeeds {
  /** The root process belongs to a session outside of the tree (criu(8), `--shell-job`). */
  readonly shellJob: boolean;
  /** It has connections to the journal of its host. */
  readonly journal?: JournalNeeds;
  /** It has TCP connections over loopback between two of its own: they move whatever the recipe says of connections (criu(8), `--tcp-established`). */
  readonly loopbackConnections: boolean;
  /**
   * It may hold locks of files (criu(8), `--file-locks`): of a network file system they would be the source's until the commit, and criu on the destination would wait
   * for them; there criu refuses to dump what holds one.
   */
  readonly fileLocks: boolean;
  /** The largest file without a name that is to be dumped (criu(8), `--ghost-limit`). */
  readonly ghostLimitBytes: number;
}

/** So large a file without a name may come to be between the look at the workload and the freeze. */
export const LEAST_GHOST_LIMIT_BYTES: number = 64 * 1024 ** 2;

/** How a workload writes to systemd's journal, by sockets that end on its host, and are made anew on another one. */
export interface JournalNeeds {
  /** What it is called in the journal there. @see systemd-cat(1), `--identifier` */
  readonly identifier: string;
  /** Inodes of connections to where a unit's output goes, {@link MAX_STREAMS} at most. */
  readonly streams: readonly number[];
}

/** Where a unit's output goes, in a connection. @see systemd-journald.service(8) */
const OUTPUT_SOCKET = '/run/systemd/journal/stdout';
/** Where messages go, one at a time: criu connects to them by their names. @see systemd-journald.service(8) */
const MESSAGE_SOCKETS: readonly string[] = ['dev-log', 'socket', 'syslog'].map(
  (name) => `/run/systemd/journal/${name}`,
);

export function criuNeeds(workload: WorkloadFacts): CriuNeeds {
  const { processes, outsideSockets = [], hasNetworkFiles = false, ghostBytes = 0 } = workload;
  const { hasLoopbackConnections: loopbackConnections = false } = workload;
  const pids = new Set(processes.map((process) => process.pid));
  const shellJob = processes.some((process) => !pids.has(process.session));
  const ofJournal = outsideSockets.filter(goesToJournal);
  const needs = {
    ...{ shellJob, loopbackConnections, fileLocks: !hasNetworkFiles },
    // They may grow until they are frozen.
    ghostLimitBytes: Math.max(LEAST_GHOST_LIMIT_BYTES, 2 * ghostBytes),
  };
  if (ofJournal.length === 0) return needs;
  const streams = ofJournal.filter(isStream).map(({ inode }) => inode);
  return { ...needs, journal: { identifier: identifierOf(processes[0]), streams } };
}

/** How many connections to where a unit's output goes can be made anew: a unit has one, or two. */
export const MAX_STREAMS = 6;

/** Whose program it is chose its name, and root's shell reads it. */
function identifierOf(process: ProcessFacts | undefined): string {
  const name = posix.basename(process?.executable ?? '').replaceAll(/[^A-Za-z0-9._@+-]/g, '_');
  return name.slice(0, 64) || 'workload';
}

/** Whether a socket is a connection to where a unit's output goes. */
export function isStream({ path }: OutsideSocket): boolean {
  return path === OUTPUT_SOCKET;
}

/** Whether the other end of a socket is systemd's journal. */
export function goesToJournal({ kind, path }: OutsideSocket): boolean {
  return kind === 'u_str' ? path === OUTPUT_SOCKET : kind === 'u_dgr' && MESSAGE_SOCKETS.includes(path);
}
