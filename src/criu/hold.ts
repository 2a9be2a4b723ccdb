import { FlowError } from '../errors/flow-error.ts';
import type { Host } from '../host/host.ts';
import { killProcess, processState, startProcess } from '../host/remote-process.ts';
import { mustRunScript } from '../host/shell.ts';
import { AWAIT_SCRIPT, DECIDE_SCRIPT, HOLD_SCRIPT, PREPARE_SCRIPT, SUPERVISE_SCRIPT } from './hold-script.ts';

/** How a criu that can hold stands: it holds, or it has ended with an exit code, or it vanished without one. */
export type HoldState = { readonly kind: 'held' } | HoldEnd;

/** How a criu ended. */
export type HoldEnd = { readonly kind: 'exited'; readonly exitCode: number } | { readonly kind: 'lost' };

/** For people: `was killed`, or `ended with exit code N`. */
export function describeEnd(end: HoldEnd): string {
  return end.kind === 'lost' ? 'was killed' : `ended with exit code ${end.exitCode}`;
}

export interface HoldOptions {
  /**
   * Seconds of silence after which the hold aborts by itself; none on the destination, where an abort after the
   * source was ended would lose the workload.
   */
  readonly leaseSeconds?: number;
  /** nft(8) text and its table, put up by criu's `pre-dump` action and removed when the dump does not commit. */
  readonly fence?: { readonly table: string; readonly text: string };
}

/**
 * One `criu dump` or `criu restore` that stops at its last point of return and waits for a decision. criu runs in a
 * session of its own on its host, so that neither the loss of the ssh channel nor of the controller ends it.
 */
export class CriuHold {
  readonly host: Host;
  readonly directory: string;
  readonly #fenceTable: string;
  readonly #leaseSeconds: number | undefined;
  #renewal: NodeJS.Timeout | undefined;

  private constructor(host: Host, directory: string, options: HoldOptions) {
    this.host = host;
    this.directory = directory;
    this.#fenceTable = options.fence?.table ?? '-';
    this.#leaseSeconds = options.leaseSeconds;
  }

  /** Makes the hold's directory (0700) with its script and FIFOs. Nothing is frozen yet. */
  static async prepare(host: Host, directory: string, options: HoldOptions = {}): Promise<CriuHold> {
    const lease = options.leaseSeconds === undefined ? '' : String(options.leaseSeconds);
    await mustRunScript(host, PREPARE_SCRIPT, [directory, lease, options.fence?.text ?? ''], {
      what: 'Preparing the hold',
      stdin: HOLD_SCRIPT,
    });
    return new CriuHold(host, directory, options);
  }

  /** The value for criu's `--action-script`: one executable file, no arguments. */
  get actionScript(): string {
    return `${this.directory}/hold`;
  }

  /** Starts criu and returns at once. */
  async start(argv: readonly string[]): Promise<void> {
    await startProcess(this.host, {
      directory: `${this.directory}/process`,
      argv: ['sh', '-c', SUPERVISE_SCRIPT, 'criu-flow', this.directory, this.#fenceTable, ...argv],
    });
  }

  /** Waits until criu holds or has ended. */
  async untilHeld(options: { readonly signal?: AbortSignal } = {}): Promise<HoldState> {
    const state = await this.#await('held', options);
    if (state.kind === 'held') this.#keepLease();
    return state;
  }

  /** Waits until criu has ended. */
  async untilEnded(options: { readonly signal?: AbortSignal } = {}): Promise<HoldEnd> {
    const state = await this.#await('exit', options);
    if (state.kind === 'held') throw new Error('hold: waited for the end');
    return state;
  }

  /**
   * Decides, and says what counts: the first decision wins, be it ours or the lease's.
   * @returns `none` when the hold does not exist (any more).
   */
  async decide(decision: 'commit' | 'abort'): Promise<'commit' | 'abort' | 'none'> {
    clearInterval(this.#renewal);
    const { stdout } = await mustRunScript(this.host, DECIDE_SCRIPT, [this.directory, decision], {
      what: `The decision to ${decision}`,
    });
    const effective = stdout.trim().split(' ')[0];
    if (effective === 'commit' || effective === 'abort' || effective === 'none') return effective;
    throw new FlowError('HOLD_LOST', `The decision on ${this.host.name} cannot be read`, {
      host: this.host.name,
      evidence: stdout,
    });
  }

  /** Whether criu was ever started here. */
  async hasStarted(): Promise<boolean> {
    return (await this.host.run(['test', '-d', `${this.directory}/process`])).exitCode === 0;
  }

  /** Ends criu's whole group. Only where nothing is lost by it: a criu that does not reach its hold. */
  async kill(): Promise<void> {
    await killProcess(this.host, `${this.directory}/process`, { graceMs: 500 });
  }

  /**
   * Rings the bell three times in a lease, until the decision. A ring that is lost is not our failure: the lease then
   * ends, and the decision says so.
   */
  #keepLease(): void {
    if (this.#leaseSeconds === undefined) return;
    const ring = ['sh', '-c', 'printf x 1<> "$1"', 'criu-flow', `${this.directory}/doorbell`];
    this.#renewal = setInterval(
      () => {
        this.host.run(ring).catch(() => undefined);
      },
      (this.#leaseSeconds * 1000) / 3,
    );
    this.#renewal.unref();
  }

  async #await(goal: 'held' | 'exit', options: { readonly signal?: AbortSignal }): Promise<HoldState> {
    for (;;) {
      const { stdout } = await mustRunScript(this.host, AWAIT_SCRIPT, [this.directory, goal], {
        what: 'Waiting for criu',
        timeoutMs: 30_000,
        ...options,
      });
      const [word, code] = stdout.trim().split(' ');
      if (word === 'held') return { kind: 'held' };
      if (word === 'exit') return { kind: 'exited', exitCode: Number(code) };
      const state = await processState(this.host, `${this.directory}/process`);
      if (state.kind === 'lost') return { kind: 'lost' };
    }
  }
}
