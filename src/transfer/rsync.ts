import { FlowError } from '../errors/flow-error.ts';
import type { Compression } from '../events/event.ts';
import type { CommandResult, Host } from '../host/host.ts';
import { readStreamProgress, sendImagesCommand } from './image-stream.ts';
import type { ImagesWanted } from './images-wanted.ts';
import { parseRsyncProgress, type TransferProgress } from './progress.ts';
import { ROUNDS } from './rounds.ts';

/** From where to where. Both are directories with a slash at the end, or neither is. */
interface Path {
  /** The ssh_config on the source that names the destination `destination`. */
  readonly sshConfigFile: string;
  readonly from: string;
  readonly to: string;
}

/** The same, and who goes there. */
interface Way extends Path {
  readonly source: Host;
}

/** The connection between the hosts broke, and what had come until then is there. */
export class BrokenTransfer extends FlowError {}

/** Milliseconds that one copy may take; the step's own limit ends it sooner. */
const TIMEOUT_MS = 24 * 3_600_000;

/**
 * Flags for criu's images: all of it is new (`--whole-file`), and the manifest is checked on arrival, so rsync need not
 * hash it as well.
 */
const IMAGE_FLAGS = [
  '--recursive',
  '--perms',
  '--links',
  '--whole-file',
  // Into the room that was reserved, whose file may have the same size and second.
  '--inplace',
  '--ignore-times',
  '--files-from=-',
  '--delete',
  '--checksum-choice=none',
  '--info=progress2',
  '--no-human-readable',
  '--no-inc-recursive',
  '--outbuf=L',
];

/** The level of zstd is the one that a fast link can wait for. */
const COMPRESSION_FLAGS: Readonly<Record<Compression, readonly string[]>> = {
  none: [],
  lz4: ['--compress', '--compress-choice=lz4'],
  zstd: ['--compress', '--compress-choice=zstd', '--compress-level=1'],
};

/**
 * Flags for the workload's files. `--modify-window=-1` compares nanoseconds: without it a file that changed twice
 * within one second, and kept its size, is taken for unchanged.
 * @see rsync(1)
 */
const FILE_FLAGS = ['-aHAXS', '--numeric-ids', '--delete', '--modify-window=-1'];

/** Flags for some of them whose times tell nothing. Their names are read, so that the directories are not walked once more. */
const ONE_FLAGS = [
  '-aHAXS',
  '--numeric-ids',
  '--ignore-times',
  // Its hard links stay links.
  '--inplace',
  // It may have been removed since it was mapped.
  '--ignore-missing-args',
];
const SOME_FLAGS = [...ONE_FLAGS, '--from0', '--files-from=-'];

/** How images are sent. */
interface ImagesOptions {
  readonly images: ImagesWanted;
  readonly compression: Compression;
}

/** With which rsync ends when files were removed after it had listed them, and all others were copied. */
const SOME_VANISHED = 24;

/**
 * Copies the workload's files with rsync from the source straight to the destination.
 * @param options.isFirst the workload runs, and removes files: another copy follows, by which they are gone
 * @throws FlowError TRANSFER_FAILED, with rsync's own line
 */
export async function copyFiles(
  way: Way,
  { isFirst, signal }: { readonly isFirst: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const result = await way.source.run(filesCommand(way), { timeoutMs: TIMEOUT_MS, signal });
  if (!isFirst || result.exitCode !== SOME_VANISHED) requireSuccess(way, result);
}

/**
 * Copies files of a path that {@link copyFiles} has copied, whatever their sizes and times say.
 * @param names below the path; `.` is the path itself
 * @throws FlowError TRANSFER_FAILED, with rsync's own line
 */
export async function copyFilesAgain(
  way: Way,
  names: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<void> {
  await copySome(names, way, way.source, (flags) => rsyncCommand(way, flags), signal);
}

/** The same from one place of a host to another. @throws FlowError TRANSFER_FAILED, with rsync's own line */
export async function copyOnHostAgain(
  host: Host,
  { from, to }: Pick<Path, 'from' | 'to'>,
  names: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<void> {
  await copySome(names, { source: host, from }, host, (flags) => ['rsync', ...flags, '--', from, to], signal);
}

async function copySome(
  names: ReadonlySet<string>,
  way: Pick<Way, 'source' | 'from'>,
  host: Host,
  command: (flags: readonly string[]) => string[],
  signal: AbortSignal,
): Promise<void> {
  const isOne = names.has('.');
  const result = await host.run(command(isOne ? ONE_FLAGS : SOME_FLAGS), {
    ...(!isOne && { stdin: [...names].map((name) => `${name}\0`).join('') }),
    timeoutMs: TIMEOUT_MS,
    signal,
  });
  requireSuccess(way, result);
}

/**
 * Copies files from one place of a host to another, as {@link copyFiles} does. Paths of directories end with a slash, or neither.
 * @throws FlowError TRANSFER_FAILED, with rsync's own line
 */
export async function copyOnHost(
  host: Host,
  { from, to }: Pick<Path, 'from' | 'to'>,
  signal: AbortSignal,
): Promise<void> {
  const result = await host.run(['rsync', ...FILE_FLAGS, '--', from, to], { timeoutMs: TIMEOUT_MS, signal });
  requireSuccess({ source: host, from }, result);
}

/** What copies a directory when it is told to. */
interface Copying {
  readonly program: 'rsync' | 'ssh';
  readonly argv: readonly string[];
  readonly progress: (onProgress: (progress: TransferProgress) => void) => (line: string) => void;
}

/**
 * A copy of a directory that is connected, and waits to be told to look at it: what it takes to begin, three round trips and as
 * many processes, is not in the pause.
 */
export class WaitingCopy {
  readonly #way: Way;
  readonly #program: Copying['program'];
  readonly #result: Promise<CommandResult>;
  readonly #stop = new AbortController();
  #begin: (names: string) => void = () => undefined;
  #onProgress: (progress: TransferProgress) => void = () => undefined;

  private constructor(way: Way, { program, argv, progress }: Copying) {
    this.#way = way;
    this.#program = program;
    // rsync reads the names of what it copies from its input. One name is enough: the directory itself. The other waits for any line.
    const names = new Promise<string>((resolve) => {
      this.#begin = resolve;
    });
    this.#result = way.source.run(argv, {
      stdin: names,
      timeoutMs: TIMEOUT_MS,
      signal: this.#stop.signal,
      onLine: progress((seen) => this.#onProgress(seen)),
    });
    // Whoever sends sees its failure.
    this.#result.catch(() => undefined);
  }

  /** Begins to wait for criu's images, in a directory that must exist. Only rsync compresses them. */
  static ofImages(way: Way, { images, compression }: ImagesOptions): WaitingCopy {
    return new WaitingCopy(
      way,
      compression === 'none'
        ? { program: 'ssh', argv: sendImagesCommand(way, images), progress: readStreamProgress }
        : byRsync(rsyncCommand(way, imageFlags(images, compression))),
    );
  }

  /** The same for images of which a part has come, when a connection broke: what the destination has is not sent again. */
  static ofRest(way: Way, { images, compression }: ImagesOptions): WaitingCopy {
    // Without checksums rsync compares nothing, and sends all.
    const whole: readonly string[] = ['--whole-file', '--checksum-choice=none'];
    const flags = imageFlags(images, compression).filter((flag) => !whole.includes(flag));
    return new WaitingCopy(way, byRsync(rsyncCommand(way, ['--no-whole-file', ...flags])));
  }

  /** Begins to wait for what changes in a directory of the workload. */
  static ofDirectory(way: Way): WaitingCopy {
    return new WaitingCopy(way, byRsync(directoryCommand(way)));
  }

  /**
   * Copies all that is in the directory now. What else the destination has goes: of images by ssh only room for memory that was not needed.
   * Memory that came there another way stays.
   * @throws FlowError TRANSFER_FAILED, with its program's own line; INTERRUPTED
   */
  async send(
    signal: AbortSignal,
    onProgress: (progress: TransferProgress) => void = () => undefined,
  ): Promise<void> {
    const stop = (): void => this.#stop.abort();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    this.#onProgress = onProgress;
    this.#begin('.\n');
    try {
      requireSuccess(this.#way, await this.#result, this.#program);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** Ends it without a copy, unless it has been told to begin. Idempotent; never throws. */
  async cancel(): Promise<void> {
    this.#begin('');
    await this.#result.catch(() => undefined);
  }
}

/** The rsync of {@link copyFiles}. */
export function filesCommand(way: Path): string[] {
  return rsyncCommand(way, FILE_FLAGS);
}

function byRsync(argv: readonly string[]): Copying {
  return {
    program: 'rsync',
    argv,
    progress: (onProgress) => (line) => {
      const progress = parseRsyncProgress(line);
      if (progress) onProgress(progress);
    },
  };
}

function imageFlags(images: ImagesWanted, compression: Compression): readonly string[] {
  const flags = [...IMAGE_FLAGS, ...COMPRESSION_FLAGS[compression]];
  if (images === 'without-memory') return flags.filter((flag) => flag !== '--delete');
  // What is excluded is not deleted either.
  return images === 'all' ? flags : [...flags, `--exclude=/${ROUNDS}/`];
}

/** The rsync of a round of images, which are all new. */
export function roundCommand(way: Path, compression: Compression): string[] {
  const asked: readonly string[] = ['--files-from=-', '--delete'];
  const flags = IMAGE_FLAGS.filter((flag) => !asked.includes(flag));
  return rsyncCommand(way, [...flags, ...COMPRESSION_FLAGS[compression]]);
}

/**
 * Copies a round of images, a directory without a slash at the end, into the directory of the images on the destination.
 * @throws FlowError TRANSFER_FAILED, with rsync's own line
 */
export async function copyRound(
  way: Way,
  compression: Compression,
  signal: AbortSignal,
  onProgress: (progress: TransferProgress) => void,
): Promise<void> {
  const { argv, progress } = byRsync(roundCommand(way, compression));
  const result = await way.source.run(argv, { timeoutMs: TIMEOUT_MS, signal, onLine: progress(onProgress) });
  requireSuccess(way, result);
}

/** The rsync of {@link WaitingCopy.ofDirectory}: the same copy as that of {@link copyFiles}. */
export function directoryCommand(way: Path): string[] {
  return rsyncCommand(way, [...FILE_FLAGS, '--recursive', '--files-from=-']);
}

function rsyncCommand(way: Path, flags: readonly string[]): string[] {
  return [
    'rsync',
    // Arguments travel inside of rsync's protocol: no remote shell reads a path.
    '--secluded-args',
    ...flags,
    '--rsh',
    `ssh -F ${way.sshConfigFile}`,
    '--',
    way.from,
    `destination:${way.to}`,
  ];
}

function requireSuccess(
  way: Pick<Way, 'source' | 'from'>,
  { exitCode, stdout, stderr }: CommandResult,
  program: Copying['program'] = 'rsync',
): void {
  if (exitCode === 0) return;
  const { name, ownLine, brokenExits, hints, hint } = PROGRAMS[program];
  // Where dd(1) tells how far it is, it tells why it failed as well.
  const lines = `${stderr}\n${program === 'ssh' ? stdout : ''}`.trim().split('\n');
  const evidence = lines.find((line) => ownLine.test(line)) ?? stderr.trim().split('\n')[0];
  const Failure = brokenExits.has(exitCode) ? BrokenTransfer : FlowError;
  throw new Failure(
    'TRANSFER_FAILED',
    `${name} of ${way.from} from ${way.source.name} ended with ${exitCode}`,
    {
      host: way.source.name,
      ...(evidence && { evidence }),
      hint: hints[exitCode] ?? hint,
    },
  );
}

interface ProgramFacts {
  /** At the beginning of a sentence. */
  readonly name: string;
  /** What it says itself, and its parts. */
  readonly ownLine: RegExp;
  /** With which it ends when the connection broke. */
  readonly brokenExits: ReadonlySet<number>;
  readonly hints: Readonly<Record<number, string>>;
  /** For all others. */
  readonly hint: string;
}

const BROKEN_HINT = 'The connection between the hosts broke.';

const PROGRAMS: Readonly<Record<Copying['program'], ProgramFacts>> = {
  rsync: {
    name: 'rsync',
    ownLine: /^(rsync|ssh|@ERROR)/,
    // An error of the socket, or in the protocol's stream, a time-out, and ssh's own failure: which, is a race. See rsync(1), EXIT VALUES.
    brokenExits: new Set([10, 12, 30, 255]),
    hints: {
      10: BROKEN_HINT,
      11: 'A file could not be read or written: is a disk full?',
      12: 'The connection between the hosts broke, or rsync on the destination died.',
      23: 'Some files could not be copied.',
      24: 'Some files vanished while they were copied.',
      30: 'The connection stood still for too long.',
      127: 'Install rsync on both hosts.',
      255: BROKEN_HINT,
    },
    hint: 'rsync(1), EXIT VALUES, says what the code means.',
  },
  // It ends as what takes the images on the destination, or with 255: see ssh(1), EXIT STATUS.
  ssh: {
    name: 'The copy',
    ownLine: /^(dd|tar|truncate|ssh): /,
    brokenExits: new Set([255]),
    hints: { 127: 'Install tar and coreutils on both hosts.', 255: BROKEN_HINT },
    hint: 'An image could not be read or written: is a disk full?',
  },
};
