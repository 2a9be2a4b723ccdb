import { FlowError } from '../errors/flow-error.ts';
import type { CommandResult, Host } from '../host/host.ts';
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

/** Which of the images the destination lacks: all of them; all but the memory, which was streamed; all but what was copied in rounds. */
export type ImagesWanted = 'all' | 'without-memory' | 'without-rounds';

/** The connection between the hosts broke, and what had come until then is there. */
export class BrokenTransfer extends FlowError {}

/** Milliseconds that one copy may take; the step's own limit ends it sooner. */
const TIMEOUT_MS = 24 * 3_600_000;

/**
 * Flags for criu's images: all of it is new (`--whole-file`), and the manifest is checked on arrival, so rsync need not
 * hash it as well. The memory of most processes compresses well, and lz4 costs nothing where it does not.
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
  '--compress',
  '--compress-choice=lz4',
  '--info=progress2',
  '--no-human-readable',
  '--no-inc-recursive',
  '--outbuf=L',
];

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

/**
 * An rsync of a directory that is connected, and waits to be told to look at it: what it takes to begin, three round trips and as
 * many processes, is not in the pause.
 */
export class WaitingCopy {
  readonly #way: Way;
  readonly #result: Promise<CommandResult>;
  readonly #stop = new AbortController();
  #begin: (names: string) => void = () => undefined;
  #onProgress: (progress: TransferProgress) => void = () => undefined;

  private constructor(way: Way, argv: readonly string[]) {
    this.#way = way;
    // rsync reads the names of what it copies from its input. One name is enough: the directory itself.
    const names = new Promise<string>((resolve) => {
      this.#begin = resolve;
    });
    this.#result = way.source.run(argv, {
      stdin: names,
      timeoutMs: TIMEOUT_MS,
      signal: this.#stop.signal,
      onLine: (line) => {
        const progress = parseRsyncProgress(line);
        if (progress) this.#onProgress(progress);
      },
    });
    // Whoever sends sees its failure.
    this.#result.catch(() => undefined);
  }

  /** Begins to wait for criu's images, in a directory that must exist. */
  static ofImages(way: Way, images: ImagesWanted): WaitingCopy {
    return new WaitingCopy(way, imagesCommand(way, images));
  }

  /** The same for images of which a part has come, when a connection broke: what the destination has is not sent again. */
  static ofRest(way: Way, images: ImagesWanted): WaitingCopy {
    // Without checksums rsync compares nothing, and sends all.
    const whole: readonly string[] = ['--whole-file', '--checksum-choice=none'];
    return new WaitingCopy(
      way,
      rsyncCommand(way, ['--no-whole-file', ...imageFlags(images).filter((flag) => !whole.includes(flag))]),
    );
  }

  /** Begins to wait for what changes in a directory of the workload. */
  static ofDirectory(way: Way): WaitingCopy {
    return new WaitingCopy(way, directoryCommand(way));
  }

  /**
   * Copies all that is in the directory now, and removes all else from the destination's, but for memory that came there another way.
   * @throws FlowError TRANSFER_FAILED, with rsync's own line; INTERRUPTED
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
      requireSuccess(this.#way, await this.#result);
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

/** The rsync of {@link WaitingCopy.ofImages}. */
export function imagesCommand(way: Path, images: ImagesWanted): string[] {
  return rsyncCommand(way, imageFlags(images));
}

function imageFlags(images: ImagesWanted): readonly string[] {
  if (images === 'without-memory') return IMAGE_FLAGS.filter((flag) => flag !== '--delete');
  // What is excluded is not deleted either.
  return images === 'all' ? IMAGE_FLAGS : [...IMAGE_FLAGS, `--exclude=/${ROUNDS}/`];
}

/** The rsync of a round of images, which are all new. */
export function roundCommand(way: Path): string[] {
  const asked: readonly string[] = ['--files-from=-', '--delete'];
  return rsyncCommand(
    way,
    IMAGE_FLAGS.filter((flag) => !asked.includes(flag)),
  );
}

/**
 * Copies a round of images, a directory without a slash at the end, into the directory of the images on the destination.
 * @throws FlowError TRANSFER_FAILED, with rsync's own line
 */
export async function copyRound(
  way: Way,
  signal: AbortSignal,
  onProgress: (progress: TransferProgress) => void,
): Promise<void> {
  const result = await way.source.run(roundCommand(way), {
    timeoutMs: TIMEOUT_MS,
    signal,
    onLine: (line) => {
      const progress = parseRsyncProgress(line);
      if (progress) onProgress(progress);
    },
  });
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

function requireSuccess(way: Pick<Way, 'source' | 'from'>, result: CommandResult): void {
  if (result.exitCode === 0) return;
  const lines = result.stderr.trim().split('\n');
  const Failure = BROKEN_EXITS.has(result.exitCode) ? BrokenTransfer : FlowError;
  throw new Failure(
    'TRANSFER_FAILED',
    `rsync of ${way.from} from ${way.source.name} ended with ${result.exitCode}`,
    {
      host: way.source.name,
      evidence: lines.find((line) => /^(rsync|ssh|@ERROR)/.test(line)) ?? lines[0] ?? '',
      hint: RSYNC_EXITS[result.exitCode] ?? 'rsync(1), EXIT VALUES, says what the code means.',
    },
  );
}

/** An error of the socket, or in the protocol's stream, a time-out, and ssh's own failure: which, is a race. @see rsync(1), EXIT VALUES */
const BROKEN_EXITS: ReadonlySet<number> = new Set([10, 12, 30, 255]);

/** @see rsync(1), EXIT VALUES */
const RSYNC_EXITS: Readonly<Record<number, string>> = {
  10: 'The connection between the hosts broke.',
  11: 'A file could not be read or written: is a disk full?',
  12: 'The connection between the hosts broke, or rsync on the destination died.',
  23: 'Some files could not be copied.',
  24: 'Some files vanished while they were copied.',
  30: 'The connection stood still for too long.',
  127: 'Install rsync on both hosts.',
  255: 'The connection between the hosts broke.',
};
