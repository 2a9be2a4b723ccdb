import type { FailureData } from '../events/event.ts';
import type { Host } from '../host/host.ts';
import { witnessedHost } from '../lock/guarded-host.ts';
import { lockWorkload, unlockWorkload } from '../lock/workload-lock.ts';
import type { Connection } from './connection.ts';
import { attempt } from './undo-stack.ts';

/** What tells the hosts' boots from others. */
export interface Boots {
  readonly source: string;
  readonly destination: string;
}

/** The hosts of one attempt of a run. Once they are locked every command on them obeys its epoch. */
export class RunHosts {
  readonly #connection: Connection;
  readonly #runId: string;
  readonly #epoch: number;
  #source: Host;
  #destination: Host;
  #isLocked = false;

  constructor({
    connection,
    runId,
    epoch,
  }: {
    readonly connection: Connection;
    readonly runId: string;
    readonly epoch: number;
  }) {
    this.#connection = connection;
    this.#runId = runId;
    this.#epoch = epoch;
    this.#source = connection.source;
    this.#destination = connection.destination;
  }

  get source(): Host {
    return this.#source;
  }

  get destination(): Host {
    return this.#destination;
  }

  /** This machine: what runs here obeys the epoch too, of which the hosts know. */
  get local(): Host {
    const { source, destination, local } = this.#connection;
    if (this.#source !== source) return witnessedHost(local, this.#source);
    return this.#destination === destination ? local : witnessedHost(local, this.#destination);
  }

  /** Two hosts, and this machine without asking them: for what only looks. */
  get unwitnessed(): Pick<Connection, 'source' | 'destination' | 'local'> {
    return { source: this.#source, destination: this.#destination, local: this.#connection.local };
  }

  /**
   * Takes the workload's process ids on both hosts, or takes them over from an earlier attempt.
   * @param isSourceNeeded without it a source that is lost is left out
   * @returns undefined when it was
   * @throws FlowError LOCKED, SUPERSEDED; HOST_UNREACHABLE
   */
  async lock(pids: readonly number[], isSourceNeeded: boolean): Promise<Boots | undefined> {
    const { source, destination, lost } = this.#connection;
    const lock = { runId: this.#runId, epoch: this.#epoch, pids };
    this.#isLocked = true;
    const onSource = isSourceNeeded || !lost.source ? await lockWorkload(source, lock) : undefined;
    this.#source = onSource?.host ?? source;
    // A run of one host locks it once.
    const onDestination =
      onSource && source === destination ? onSource : await lockWorkload(destination, lock);
    this.#destination = onDestination.host;
    return onSource && { source: onSource.boot, destination: onDestination.boot };
  }

  /**
   * Gives the locks up, but on those hosts. A host that does not answer keeps its own, which is void after its next boot.
   * @returns what is left
   */
  async unlock(except: ReadonlySet<string | undefined>): Promise<readonly FailureData[]> {
    if (!this.#isLocked) return [];
    const { source, destination } = this.#connection;
    const left: FailureData[] = [];
    for (const host of new Set([source, destination])) {
      if (except.has(host.name)) continue;
      const failure = await attempt(() => unlockWorkload(host, this.#runId, this.#epoch));
      if (failure) left.push({ host: host.name, ...failure });
    }
    return left;
  }
}
