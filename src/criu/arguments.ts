import type { NetworkPlan } from '../plan/plan.ts';
import type { CriuNeeds } from '../workload/criu-needs.ts';

export interface CriuOptions extends CriuNeeds {
  readonly imagesDirectory: string;
  /** criu's work directory, where its log goes. */
  readonly workDirectory: string;
  /** None for a criu that does not hold. */
  readonly actionScript?: string;
  readonly connections: NetworkPlan['connections'];
}

/** @see criu(8). The log level 3 names what criu was at when it failed. */
function common(options: CriuOptions): string[] {
  return [
    '--images-dir',
    options.imagesDirectory,
    '--work-dir',
    options.workDirectory,
    '-v3',
    // Cgroups are the hosts' own business: a process lands in that of criu, a scope of systemd's where there is one.
    '--manage-cgroups=ignore',
    '--network-lock',
    'nftables',
    ...(options.actionScript === undefined ? [] : ['--action-script', options.actionScript]),
    ...(options.connections === 'keep' || (options.connections === 'refuse' && options.loopbackConnections)
      ? ['--tcp-established']
      : []),
    ...(options.connections === 'close' ? ['--tcp-close'] : []),
    ...(options.shellJob ? ['--shell-job'] : []),
    ...(options.fileLocks ? ['--file-locks'] : []),
    ...(options.journal ? ['--ext-unix-sk'] : []),
  ];
}

/** What criu dumps of a socket by itself is its own end. @see criu(8), `--external` */
function ofDump(options: CriuOptions): string[] {
  const streams = options.journal?.streams ?? [];
  return [
    ...common(options),
    ...['--ghost-limit', String(options.ghostLimitBytes)],
    ...streams.flatMap((inode) => ['--external', `unix[${inode}]`]),
  ];
}

/**
 * In the place of each connection to the journal that was dumped, one to that of the host, on a file descriptor of its own: criu closes
 * each that it has taken. What criu itself says goes where it went. A shell can name one digit.
 * @see systemd-cat(1); CRIU's source, files.c (inherit_fd_move_to_fdstore)
 */
function ofRestore(options: CriuOptions, command: readonly string[]): string[] {
  const argv = [...command, ...common(options)];
  if (!options.journal?.streams.length) return argv;
  const { identifier, streams } = options.journal;
  const descriptors = streams.map((inode, index) => ({ inode, fd: index + FIRST_STREAM_FD }));
  const connections = descriptors.map(({ fd }) => `${fd}>&1`).join(' ');
  return [
    ...['sh', '-c', 'exec 9>&2; exec "$@"', 'criu-flow', 'systemd-cat', `--identifier=${identifier}`],
    ...['sh', '-c', `exec ${connections}; exec >&9 2>&9 9>&-; exec "$@"`, 'criu-flow', ...argv],
    ...descriptors.flatMap(({ inode, fd }) => ['--inherit-fd', `fd[${fd}]:socket:[${inode}]`]),
  ];
}

const FIRST_STREAM_FD = 3;

/**
 * `criu dump` of the tree whose root is `pid`, a word for it before it is known; criu ends the tasks when the hold commits.
 * @param memory.pageServerPort where the memory goes, on 127.0.0.1, instead of into the images' directory
 * @param memory.parent images that have the memory which was not written to since, from the images' directory on
 * @param memory.lazyPort where the memory can be fetched, on 127.0.0.1, after all else was dumped. The tasks are left stopped at the
 *   end, however that came: criu takes a connection that was cut for one that had fetched everything. It says on file descriptor 5 when
 *   it listens.
 * @see criu(8), `--lazy-pages`; CRIU's source, page-xfer.c (page_server_serve)
 */
export function dumpArguments(
  pid: number | string,
  options: CriuOptions,
  { pageServerPort, parent, lazyPort }: DumpedMemory = {},
): string[] {
  return [
    ...['criu', 'dump', '--tree', String(pid), '--log-file', 'dump.log', ...ofDump(options)],
    ...(pageServerPort === undefined ? [] : ['--page-server', ...at(pageServerPort)]),
    ...(parent === undefined ? [] : since(parent)),
    ...(lazyPort === undefined
      ? []
      : ['--lazy-pages', '--leave-stopped', '--status-fd', '5', ...at(lazyPort)]),
  ];
}

interface DumpedMemory {
  readonly pageServerPort?: number | string;
  readonly parent?: string;
  readonly lazyPort?: number | string;
}

/**
 * `criu pre-dump`: the memory of the tree that is not in `parent`, while it runs; from then on the kernel tracks what it writes to.
 * @see criu(8), `--track-mem`; the kernel's documentation, soft-dirty
 */
export function preDumpArguments(pid: number | string, options: CriuOptions, parent?: string): string[] {
  const argv = ['criu', 'pre-dump', '--tree', String(pid), '--log-file', 'pre-dump.log', ...ofDump(options)];
  return parent === undefined ? [...argv, '--track-mem'] : [...argv, ...since(parent)];
}

function since(parent: string): string[] {
  return ['--track-mem', '--prev-images-dir', parent];
}

/**
 * `criu page-server`, which takes the memory of one dump into the images' directory, and says on file descriptor 3 when it listens.
 * @see criu(8), `--status-fd`
 */
export function pageServerArguments(
  options: Pick<CriuOptions, 'imagesDirectory' | 'workDirectory'>,
  port: number | string,
): string[] {
  const directories = ['--images-dir', options.imagesDirectory, '--work-dir', options.workDirectory];
  const argv = ['criu', 'page-server', ...directories, '--log-file', 'page-server.log', '-v3'];
  return [...argv, '--status-fd', '3', ...at(port)];
}

function at(port: number | string): string[] {
  return ['--address', '127.0.0.1', '--port', String(port)];
}

/**
 * A second `criu dump` of tasks whose first criu was killed: at its end it takes their sockets out of repair mode and lets
 * the tasks be as they were. Tried with CRIU 4.2, with a connection that stayed open.
 */
export function healArguments(pid: number, options: CriuOptions): string[] {
  const argv = ['criu', 'dump', '--tree', String(pid), '--log-file', 'heal.log', '--leave-running'];
  return [...argv, ...ofDump(options)];
}

/** `criu restore`, which leaves the tree running without criu when the hold commits, or at once without one. */
export function restoreArguments(options: CriuOptions, logFile = 'restore.log'): string[] {
  return ofRestore(options, ['criu', 'restore', '--restore-detached', '--log-file', logFile]);
}

/** The same of a tree whose memory is fetched as it asks for it, by the daemon of {@link lazyPagesArguments} in the same work directory. */
export function lazyRestoreArguments(options: CriuOptions): string[] {
  return [...restoreArguments(options), '--lazy-pages'];
}

/**
 * `criu lazy-pages`, which fetches from the page server at that port of 127.0.0.1 what a restored tree asks for, then all the rest. It
 * says on file descriptor 5 when it can be asked.
 */
export function lazyPagesArguments(
  { imagesDirectory, workDirectory }: Pick<CriuOptions, 'imagesDirectory' | 'workDirectory'>,
  port: number | string,
): string[] {
  const directories = ['--images-dir', imagesDirectory, '--work-dir', workDirectory];
  const argv = ['criu', 'lazy-pages', ...directories, '--log-file', 'lazy-pages.log', '-v3'];
  return [...argv, '--status-fd', '5', '--page-server', ...at(port)];
}
