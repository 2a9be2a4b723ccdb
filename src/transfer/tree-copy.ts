import { FlowError } from '../errors/flow-error.ts';
import type { Before, HostFiles, OpenFile } from '../host/files.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import { stopError } from '../host/stop.ts';
import { CHUNK_BYTES, CHUNKS_AT_ONCE, positions } from './chunks.ts';
import { inParallel } from './in-parallel.ts';
import type { Pace } from './pace.ts';
import type { Ends, Relay } from './relay.ts';
import { listTree, type TreeEntry } from './tree.ts';

const FILES_AT_ONCE = 16;
/** Makes, links, and attributes: each is one small request. */
const REQUESTS_AT_ONCE = 64;

/** Milliseconds; the step's own limit ends it sooner. */
const SCRIPT_TIMEOUT_MS = 3_600_000;

const ZEROS = Buffer.alloc(CHUNK_BYTES);

/** Removes what it is told on its input, each path with a NUL. */
const REMOVE_SCRIPT = 'xargs -0 -r rm -rf --';
/** Makes a FIFO at each path of its input. */
const FIFO_SCRIPT = 'umask 077; xargs -0 -r mkfifo --';

/** Something at the place of the copy. */
interface There {
  readonly kind: TreeEntry['kind'];
  /** Of the source's entry that it equals; undefined for what is not whole. */
  readonly version?: string;
  /** How much of a file of some version has come, from its beginning. */
  readonly part?: { readonly version: string; readonly doneBytes: number };
}

export interface TreeWay {
  readonly source: Host;
  readonly destination: Host;
  readonly relay: Relay;
  /** A directory or a file, without a slash at the end. */
  readonly from: string;
  readonly to: string;
  /** `contents`: files and directories are for root alone, whatever they are there. That saves requests. @default all */
  readonly keeps?: 'contents' | 'all';
}

export interface CopyOptions {
  readonly signal: AbortSignal;
  /** Nothing changes any more: what is missing now is a failure, and the root gets its own owner and mode. */
  readonly isLast: boolean;
  /** Paths below the root to copy although they look unchanged; `.` is the root itself. @default none */
  readonly again?: ReadonlySet<string>;
  /** Told how many more bytes have come. */
  readonly onBytes?: (bytes: number) => void;
}

/**
 * A copy of a tree of files from the source to the destination, by the relay: with modes, owners, links, FIFOs, holes, and times to the
 * second. Each time it is made, only what the file system says has changed since the last time is copied. Until the
 * last time its root is for root alone, so that nobody can put links into it. It goes by paths: whoever may rename the root, which
 * is who may write the directory above, could lead it elsewhere.
 */
export class TreeCopy {
  readonly #source: Host;
  readonly #destination: Host;
  readonly #relay: Relay;
  readonly #from: string;
  readonly #to: string;
  readonly #keepsAll: boolean;
  readonly #there: Map<string, There>;

  private constructor(way: TreeWay, there: Map<string, There>) {
    this.#source = way.source;
    this.#destination = way.destination;
    this.#relay = way.relay;
    this.#from = way.from;
    this.#to = way.to;
    this.#keepsAll = way.keeps !== 'contents';
    this.#there = there;
  }

  /** Looks what is at the place of the copy. @throws FlowError TRANSFER_FAILED */
  static async begin(way: TreeWay): Promise<TreeCopy> {
    const found = await listTree(way.destination, way.to);
    return new TreeCopy(way, new Map(found.map(({ path, kind }) => [path, { kind }])));
  }

  /**
   * Makes the copy what the tree is. Goes on where it was when a connection is lost.
   * @throws FlowError TRANSFER_FAILED, HOST_UNREACHABLE, INTERRUPTED
   */
  async copy(options: CopyOptions): Promise<void> {
    const entries = await listTree(this.#source, this.#from, options.signal);
    if (entries.length === 0) throw this.#missing('', 'it is not there');
    for (const name of options.again ?? []) this.#forget(name === '.' ? '' : name, entries);
    let isAgain = false;
    await this.#relay.through(async (ends) => {
      if (isAgain) await this.#lookAgain();
      isAgain = true;
      await this.#bring(entries, ends, options);
    }, options.signal);
  }

  /** Something has other contents than its times tell. */
  #forget(path: string, entries: readonly TreeEntry[]): void {
    const entry = entries.find((each) => each.path === path);
    if (entry === undefined) return;
    if (entry.kind === 'hardlink') return this.#forget(entry.target, entries);
    const there = this.#there.get(entry.path);
    // Of another kind by now, it is removed as any other.
    if (there) this.#there.set(entry.path, { kind: there.kind });
  }

  async #bring(entries: readonly TreeEntry[], ends: Ends, options: CopyOptions): Promise<void> {
    await this.#remove(entries, options.signal);
    const { destination } = ends;
    const changed = entries.filter(({ path, version }) => this.#there.get(path)?.version !== version);
    const of = (kind: TreeEntry['kind']): readonly TreeEntry[] =>
      changed.filter((entry) => entry.kind === kind);
    // Each directory after the one that it is in.
    const missing = of('directory').filter(({ path }) => !this.#there.has(path));
    for (const level of byDepth(missing)) {
      await inParallel(level, REQUESTS_AT_ONCE, async ({ path }) => {
        await destination.makeDirectory(this.#place(path));
        this.#there.set(path, { kind: 'directory' });
      });
    }
    await inParallel(of('file'), FILES_AT_ONCE, (entry) => this.#bringFile(entry, ends, options));
    await this.#makeFifos(of('fifo'), destination);
    await inParallel(of('symlink'), REQUESTS_AT_ONCE, async (entry) => {
      await destination.symlink(entry.target, this.#place(entry.path));
      await destination.setLinkAttributes(this.#place(entry.path), entry);
      this.#done(entry);
    });
    await inParallel(of('hardlink'), REQUESTS_AT_ONCE, async (entry) => {
      // Its file may have been removed before it could be read.
      if (this.#there.get(entry.target)?.version === undefined) return;
      await destination.link(this.#place(entry.target), this.#place(entry.path));
      this.#done(entry);
    });
    const directories = of('directory');
    const setAttributes = async (entry: TreeEntry): Promise<void> => {
      if (this.#keepsAll) await destination.setAttributes(this.#place(entry.path), entry);
      this.#done(entry);
    };
    const below = directories.filter(({ path }) => path !== '');
    await inParallel(below, REQUESTS_AT_ONCE, setAttributes);
    const root = directories.find(({ path }) => path === '');
    if (root && options.isLast) await setAttributes(root);
  }

  /** What a connection that was lost has done for us may be more than what it said. */
  async #lookAgain(): Promise<void> {
    const found = await listTree(this.#destination, this.#to);
    const known = new Map(this.#there);
    this.#there.clear();
    for (const { path, kind } of found) {
      const before = known.get(path);
      this.#there.set(path, before?.kind === kind ? before : { kind });
    }
  }

  /** What has to go, with all that is below it: what is not in the tree, and what cannot become what is. */
  async #remove(entries: readonly TreeEntry[], signal: AbortSignal): Promise<void> {
    const wanted = new Map(entries.map((entry) => [entry.path, entry]));
    const gone = [...this.#there].filter(([path, { kind, version }]) => {
      const entry = wanted.get(path);
      if (entry?.kind !== kind) return true;
      if (entry.version === version || kind === 'directory') return false;
      // Others may be able to replace a file that is a tree of its own: it is made where nothing is.
      return kind !== 'file' || path === '';
    });
    if (gone.length === 0) return;
    await mustRunScript(this.#destination, REMOVE_SCRIPT, [], {
      what: 'Removing what has changed',
      timeoutMs: SCRIPT_TIMEOUT_MS,
      signal,
      stdin: gone.map(([path]) => `${this.#place(path)}\0`).join(''),
    });
    for (const [path] of gone) this.#there.delete(path);
  }

  async #bringFile(entry: TreeEntry, { source, destination }: Ends, options: CopyOptions): Promise<void> {
    const { path, version } = entry;
    const from = await source.openToRead(this.#origin(path));
    if (from === undefined) {
      if (options.isLast) throw this.#missing(path, 'it was removed meanwhile');
      return;
    }
    try {
      // Whose files these are could lead root to those of others by a link.
      if (!from.isFile || from.uid !== entry.uid || from.gid !== entry.gid) {
        if (options.isLast) throw this.#missing(path, 'something else took its place meanwhile');
        return;
      }
      const before = this.#there.get(path);
      const begin = before?.part?.version === version ? before.part.doneBytes : 0;
      const room = beforeOf(entry, before, begin);
      const to = await destination.openToWrite(this.#place(path), room);
      try {
        const onArrived = (doneBytes: number): void => {
          this.#there.set(path, { kind: 'file', part: { version, doneBytes } });
        };
        onArrived(begin);
        await copyContent(entry, { from, to, pace: this.#relay.pace }, begin, {
          onBytes: (bytes) => {
            if (options.signal.aborted)
              throw stopError('aborted', { host: source.hostName, program: 'sftp' });
            options.onBytes?.(bytes);
          },
          onArrived,
          onEnd: () => {
            if (options.isLast) throw this.#missing(path, 'it became shorter meanwhile');
          },
        });
        if (room === 'kept' || entry.isSparse) await to.setSize(entry.sizeBytes);
        if (this.#keepsAll) await to.setAttributes(entry);
      } finally {
        await to.close();
      }
      this.#done(entry);
    } finally {
      await from.close();
    }
  }

  async #makeFifos(entries: readonly TreeEntry[], destination: HostFiles): Promise<void> {
    if (entries.length === 0) return;
    await mustRunScript(this.#destination, FIFO_SCRIPT, [], {
      what: 'Making FIFOs',
      timeoutMs: SCRIPT_TIMEOUT_MS,
      stdin: entries.map(({ path }) => `${this.#place(path)}\0`).join(''),
    });
    await inParallel(entries, REQUESTS_AT_ONCE, async (entry) => {
      this.#there.set(entry.path, { kind: 'fifo' });
      await destination.setAttributes(this.#place(entry.path), entry);
      this.#done(entry);
    });
  }

  #done({ path, kind, version }: TreeEntry): void {
    this.#there.set(path, { kind, version });
  }

  #origin(path: string): string {
    return path === '' ? this.#from : `${this.#from}/${path}`;
  }

  #place(path: string): string {
    return path === '' ? this.#to : `${this.#to}/${path}`;
  }

  #missing(path: string, why: string): FlowError {
    return new FlowError('TRANSFER_FAILED', `${this.#origin(path)} could not be copied: ${why}`, {
      host: this.#source.name,
    });
  }
}

function beforeOf({ isSparse }: TreeEntry, there: There | undefined, begin: number): Before {
  if (there === undefined) return 'none';
  // What is not written to reads as zeros.
  return isSparse && begin === 0 ? 'emptied' : 'kept';
}

interface Watching {
  readonly onBytes: (bytes: number) => void;
  /** All before has come. */
  readonly onArrived: (position: number) => void;
  /** The file ends before it should. */
  readonly onEnd: () => void;
}

async function copyContent(
  { sizeBytes, isSparse }: TreeEntry,
  { from, to, pace }: { readonly from: OpenFile; readonly to: OpenFile; readonly pace: Pace },
  begin: number,
  watching: Watching,
): Promise<void> {
  const done = new Set<number>();
  let arrived = begin;
  await inParallel(positions(begin, sizeBytes), CHUNKS_AT_ONCE, async (position) => {
    const end = Math.min(position + CHUNK_BYTES, sizeBytes);
    for (let next = position; next < end;) {
      await pace.take(end - next);
      const data = await from.read(next, end - next);
      if (data.length === 0) {
        watching.onEnd();
        break;
      }
      const isHole = isSparse && data.equals(ZEROS.subarray(0, data.length));
      if (!isHole) await to.write(next, data);
      next += data.length;
      watching.onBytes(data.length);
    }
    done.add(position);
    while (done.delete(arrived)) arrived += CHUNK_BYTES;
    watching.onArrived(Math.min(arrived, sizeBytes));
  });
}

function byDepth(directories: readonly TreeEntry[]): readonly (readonly TreeEntry[])[] {
  const levels = new Map<number, TreeEntry[]>();
  for (const entry of directories) {
    const depth = entry.path === '' ? 0 : entry.path.split('/').length;
    const level = levels.get(depth);
    if (level) level.push(entry);
    else levels.set(depth, [entry]);
  }
  return [...levels].toSorted(([one], [other]) => one - other).map(([, level]) => level);
}
