import { setTimeout as sleep } from 'node:timers/promises';
import { FlowError } from '../errors/flow-error.ts';
import type { HostFiles } from '../host/files.ts';
import type { Host } from '../host/host.ts';
import { openFiles } from '../host/open-files.ts';
import { stopError } from '../host/stop.ts';
import { CHUNK_BYTES, CHUNKS_AT_ONCE, positions } from './chunks.ts';
import { inParallel } from './in-parallel.ts';
import type { Pace } from './pace.ts';
import { RECONNECT_EVERY_MS, RECONNECT_WITHIN_MS } from './reconnect.ts';

/** The files of both hosts. */
export interface Ends {
  readonly source: HostFiles;
  readonly destination: HostFiles;
}

export interface RelayOptions {
  /** Told of each connection that was lost, when there is a new one. */
  readonly onReconnect: (lost: FlowError) => void;
  /** Of all that goes through it. */
  readonly pace: Pace;
}

const LONGEST_WARM_UP_BYTES = 64 * 1024 * 1024;
const LONGEST_WARM_UP_MS = 2000;

/** How often one piece of work may lose a connection: one that breaks time and again leads nowhere. */
const MOST_RECONNECTS = 10;

/** The way of files from one host through this machine to another. */
export class Relay {
  readonly #hosts: { readonly source: Host; readonly destination: Host };
  readonly #onReconnect: (lost: FlowError) => void;
  readonly pace: Pace;
  #ends: Ends;
  #reconnecting: Promise<void> | undefined;
  #isClosed = false;

  private constructor(
    hosts: { readonly source: Host; readonly destination: Host },
    ends: Ends,
    { onReconnect, pace }: RelayOptions,
  ) {
    this.pace = pace;
    this.#hosts = hosts;
    this.#ends = ends;
    this.#onReconnect = onReconnect;
  }

  /** @throws FlowError HOST_UNREACHABLE, HOST_KEY_UNKNOWN, HOST_KEY_CHANGED, HOST_AUTH_FAILED, INPUT_INVALID */
  static async open(
    hosts: { readonly source: Host; readonly destination: Host },
    options: RelayOptions,
  ): Promise<Relay> {
    return new Relay(hosts, await openEnds(hosts), options);
  }

  /**
   * Does something with the files of both hosts; once more from its beginning, on new connections, when one was lost. It goes by what it
   * has done before.
   * @throws FlowError HOST_UNREACHABLE when the connection does not come back within 20 s, INTERRUPTED, and what the work throws
   */
  async through(work: (ends: Ends) => Promise<void>, signal: AbortSignal): Promise<void> {
    // A host may take a request and never answer it: then nothing else ends the waiting.
    const stop = (): void => void this.close();
    signal.addEventListener('abort', stop, { once: true });
    try {
      for (let reconnects = 0; ; reconnects += 1) {
        if (signal.aborted)
          throw stopError('aborted', { host: this.#hosts.destination.name, program: 'sftp' });
        const ends = this.#ends;
        try {
          return await work(ends);
        } catch (error) {
          const isLost = error instanceof FlowError && error.code === 'HOST_UNREACHABLE';
          if (signal.aborted) continue;
          if (!isLost || this.#isClosed || reconnects >= MOST_RECONNECTS) throw error;
          await this.#reconnect(ends, error, signal);
        }
      }
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /**
   * Sends zeros through it, as many as there will be images, 64 MiB at most and for two seconds at most. TCP learns the path, and
   * Node.js compiles what it does often, only as data flow: the first megabytes take several times as long as those after.
   * @param path of a file on the destination, which is left empty
   */
  async warmUp(path: string, imageBytes: number): Promise<void> {
    const { source, destination } = this.#ends;
    const [from, to] = await Promise.all([
      source.openToRead('/dev/zero'),
      destination.openToWrite(path, 'emptied'),
    ]);
    const deadline = performance.now() + LONGEST_WARM_UP_MS;
    // Of what is limited no more than takes a second.
    const end = Math.min(imageBytes, LONGEST_WARM_UP_BYTES, this.pace.bytesPerSecond ?? Infinity);
    await inParallel(positions(0, end), CHUNKS_AT_ONCE, async (position) => {
      if (!from || performance.now() > deadline) return;
      const length = Math.min(CHUNK_BYTES, end - position);
      await this.pace.take(length);
      await to.write(position, await from.read(position, length));
    });
    await to.setSize(0);
    await Promise.all([from?.close(), to.close()]);
  }

  /** Idempotent; never throws. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await closeEnds(this.#ends);
  }

  /** @param ends that were lost: what was connected anew meanwhile stays */
  async #reconnect(ends: Ends, lost: FlowError, signal: AbortSignal): Promise<void> {
    if (this.#ends !== ends) return;
    this.#reconnecting ??= this.#openAnew(lost, signal).finally(() => {
      this.#reconnecting = undefined;
    });
    await this.#reconnecting;
  }

  async #openAnew(lost: FlowError, signal: AbortSignal): Promise<void> {
    await closeEnds(this.#ends);
    const deadline = performance.now() + RECONNECT_WITHIN_MS;
    for (;;) {
      if (signal.aborted || this.#isClosed) throw lost;
      try {
        this.#ends = await openEnds(this.#hosts);
        if (this.#isClosed) await closeEnds(this.#ends);
        return this.#onReconnect(lost);
      } catch {
        if (performance.now() > deadline) throw lost;
        await sleep(RECONNECT_EVERY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }
}

async function openEnds(hosts: { readonly source: Host; readonly destination: Host }): Promise<Ends> {
  const [source, destination] = await Promise.allSettled([
    openFiles(hosts.source),
    openFiles(hosts.destination),
  ]);
  if (source.status === 'fulfilled' && destination.status === 'fulfilled') {
    return { source: source.value, destination: destination.value };
  }
  const failures: unknown[] = [];
  for (const end of [source, destination]) {
    if (end.status === 'fulfilled') await end.value.close();
    else failures.push(end.reason);
  }
  throw failures[0];
}

async function closeEnds({ source, destination }: Ends): Promise<void> {
  await Promise.all([source.close(), destination.close()]);
}
