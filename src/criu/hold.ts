import { posix } from 'node:path';
import { FlowError } from '../errors/flow-error.ts';
import { commandOn } from '../host/command-on.ts';
import type { Host } from '../host/host.ts';
import { killProcess, processState, startProcess } from '../host/remote-process.ts';
import { mustRunScript, runScript } from '../host/shell.ts';
import type { Scope } from '../workload/scope.ts';
import { LAZY_PAGES_FILES, withLazyPages } from './lazy-pages.ts';
import {
  AWAIT_SCRIPT,
  DECIDE_SCRIPT,
  END_SERVED_SCRIPT,
  HOLD_SCRIPT,
  PREPARE_SCRIPT,
  RELINQUISH_SCRIPT,
  RESTORED_STATE_SCRIPT,
  REVIVE_SCRIPT,
  SETTLE_SCRIPT,
  START_SCRIPT,
  UNTIL_SERVED_SCRIPT,
  SUPERVISE_SCRIPT,
  WAIVE_SCRIPT,
} from './hold-script.ts';
import { SCOPED_SCRIPT, UNTIL_LIMITED_SCRIPT, UNTIL_SUPERVISED_SCRIPT } from './scope-script.ts';

/** How a criu that can hold stands: it holds, or it has ended with an exit code, or it vanished without one. */
export type HoldState =
  /** After a dump: the size of the images, in bytes, and the tasks that it has frozen. What criu took, to ten milliseconds. */
  | {
      readonly kind: 'held';
      readonly imageBytes: number;
      readonly criuMs: number;
      readonly tasks: readonly Task[];
    }
  | HoldEnd;

/** A process, and what tells it from a later one with the same pid: field 22 of /proc/PID/stat. */
export interface Task {
  readonly pid: number;
  readonly startTicks: number;
}

/** A script that runs before criu, with what it needs. */
export interface FirstScript {
  readonly script: string;
  readonly args: readonly string[];
}

/** How a criu ended: with an exit code, killed together with whoever would have written it down, or never begun. */
export type HoldEnd =
  | { readonly kind: 'exited'; readonly exitCode: number }
  /** The script that was to run first did not exit with 0. */
  | { readonly kind: 'refused'; readonly exitCode: number; readonly stderr: string }
  | { readonly kind: 'lost' }
  | { readonly kind: 'absent' };

/** For people: `was killed`, or `ended with exit code N`. */
export function describeEnd(end: HoldEnd): string {
  switch (end.kind) {
    case 'exited':
      return `ended with exit code ${end.exitCode}`;
    case 'refused':
      return `was not started (${end.stderr})`;
    case 'lost':
      return 'was killed';
    case 'absent':
      return 'was never started';
  }
}

export interface HoldOptions {
  /**
   * Seconds of silence after which the hold aborts by itself. The destination's must be waived before the source is
   * ended: an abort after that would lose the workload.
   */
  readonly leaseSeconds?: number;
  /** nft(8) text and its table, put up by criu's `pre-dump` action and by the recovery that restores. */
  readonly fence?: { readonly table: string; readonly text: string };
  /** A fixed script that criu's `post-resume` action runs; it finds its values in the file `values`, one a line. */
  readonly onResume?: { readonly script: string; readonly values: readonly string[] };
  /** A fixed script that runs beside a criu that holds, in the hold's directory. @default none */
  readonly onHeld?: string | undefined;
  /** What does criu's part when criu fails to do it. */
  readonly recovery?: Recovery;
  /**
   * A fixed script that ends the connection by which criu sends the memory away: then criu fails, and lets the tasks go. The lease
   * of such a dump runs from its start. @default none
   */
  readonly cut?: string | undefined;
  /** An abort before the hold ends criu, which has run nothing yet: for a restore. @default false */
  readonly endsAtAbort?: boolean;
  /** A dump whose memory is fetched from it after the commit: see {@link CriuHold.commitServing}. @default false */
  readonly serves?: boolean;
  /** Where systemd runs, what criu restores is in it, by whomever. */
  readonly scope?: Scope;
  /** All of the hold is in that scope from its begin: for a restore. @default false */
  readonly isInScope?: boolean;
  /** Of a restore: `criu lazy-pages`, which fetches its memory. @default none */
  readonly lazyPages?: readonly string[];
}

export interface Recovery {
  /** One of settle-script.ts. */
  readonly script: string;
  /** The tasks as they were before the freeze, the root first, each with the path of its program. */
  readonly tasks: readonly (Task & { readonly executable: string })[];
  /** criu's arguments for restoring from the images, without a hold. None where the images will not be whole. */
  readonly again?: readonly string[];
  /** A fixed script that runs before that, with what it needs: the file `address` beside it, its values one a line. */
  readonly beforeAgain?: { readonly script: string; readonly address: readonly string[] };
  /** criu's arguments for a second dump, which takes the sockets out of repair mode. */
  readonly heal?: readonly string[];
}

/**
 * What became of the workload on that host when criu did not end as it should: `resumed`, it runs on; `healed`, its sockets
 * had to be put right first; `restored`, from the images, with the pids that it had; `ended`; `gone`, it has ended, and there are no
 * whole images of it; `stopped`, it has the only whole memory, and another copy may have run since.
 */
export type Settled = 'resumed' | 'healed' | 'restored' | 'ended' | 'gone' | 'stopped';

/**
 * One `criu dump` or `criu restore` that stops at its last point of return and waits for a decision. criu runs in a
 * session of its own on its host, so that neither the loss of the ssh channel nor of the controller ends it.
 */
export class CriuHold {
  readonly host: Host;
  readonly directory: string;
  readonly #leaseSeconds: number | undefined;
  readonly #hasLeaseFromStart: boolean;
  #renewal: NodeJS.Timeout | undefined;

  private constructor(
    host: Host,
    directory: string,
    leaseSeconds: number | undefined,
    hasLeaseFromStart: boolean,
  ) {
    this.host = host;
    this.directory = directory;
    this.#leaseSeconds = leaseSeconds;
    this.#hasLeaseFromStart = hasLeaseFromStart;
  }

  /**
   * Makes the hold's directory (0700) with its script and FIFOs, and a process that waits to become criu. Nothing is
   * frozen yet.
   * @param criu makes criu's arguments, for the action script of this hold
   */
  static async prepare(
    host: Host,
    directory: string,
    options: HoldOptions,
    criu: (hold: { readonly directory: string; readonly actionScript: string }) => readonly string[],
  ): Promise<CriuHold> {
    // criu takes one executable file, without arguments.
    const own = criu({ directory, actionScript: actionScriptOf(directory) });
    const { lazyPages } = options;
    const argv = lazyPages ? withLazyPages(directory, lazyPages, own) : own;
    await mustRunScript(host, PREPARE_SCRIPT, [directory, ...filesOf(options)], {
      what: 'Preparing the hold',
    });
    const scoped = options.isInScope ? ['sh', '-c', SCOPED_SCRIPT, 'criu-flow', directory] : [];
    await startProcess(host, {
      directory: `${directory}/process`,
      argv: [...scoped, 'sh', '-c', SUPERVISE_SCRIPT, 'criu-flow', directory, ...argv],
    });
    return new CriuHold(host, directory, options.leaseSeconds, options.cut !== undefined);
  }

  /**
   * Waits until the process that was started by {@link prepare} is there.
   * @returns whether what is restored will be in a scope of systemd, with the limits that it tells of
   * @throws FlowError COMMAND_FAILED when systemd would not
   */
  async untilSupervised(): Promise<boolean> {
    const { stdout } = await mustRunScript(this.host, UNTIL_SUPERVISED_SCRIPT, [this.directory], {
      what: 'Starting the process that will restore',
    });
    return stdout.trim() === 'scope';
  }

  /**
   * Of a hold in a scope, whose workload runs: waits until that has its limits.
   * @returns those that systemd there would not set, as it calls them
   */
  async untilLimited(): Promise<readonly string[]> {
    const { stdout } = await mustRunScript(this.host, UNTIL_LIMITED_SCRIPT, [this.directory], {
      what: 'Setting the limits of the workload',
    });
    return stdout.split('\n').filter(Boolean);
  }

  /**
   * From now on it waits for its decision for ever. Safe to repeat.
   * @param directories what was renamed in these is on the disk before
   * @throws FlowError HOLD_LOST when its lease was over before
   */
  async waiveLease(directories: readonly string[] = []): Promise<void> {
    clearInterval(this.#renewal);
    const { stdout } = await mustRunScript(this.host, WAIVE_SCRIPT, [this.directory, ...directories], {
      what: 'Waiving the lease',
    });
    if (stdout.trim() === 'waived') return;
    throw new FlowError('HOLD_LOST', `The hold on ${this.host.name} had ended before the commit`, {
      host: this.host.name,
      hint: 'The controller or the connection was silent for too long. The workload runs on at the source.',
    });
  }

  /** The hold that an earlier attempt of a run made, if it ever came to that. */
  static of(host: Host, directory: string): CriuHold {
    return new CriuHold(host, directory, undefined, false);
  }

  /** Whether the hold is there, and the decision that counts. Changes nothing. */
  async look(): Promise<{ readonly isThere: boolean; readonly decision: 'commit' | 'abort' | 'none' }> {
    const { stdout } = await mustRunScript(
      this.host,
      '[ ! -d "$1" ] || { echo there; cat "$1/decision"; } 2> /dev/null; :',
      [this.directory],
      { what: 'Reading the decision' },
    );
    const [there, word = ''] = stdout.split(/\s/);
    const decision = word === 'commit' || word === 'abort' ? word : 'none';
    return { isThere: there === 'there', decision };
  }

  /**
   * Looks for a task that this hold restored. Changes nothing.
   * @returns `cleaned` when the hold is gone: whoever removed it had seen the task alive
   */
  async findRestored(
    pid: number,
  ): Promise<
    'gone' | 'cleaned' | (Task & { /** What tells the host's boot from others. */ readonly boot: string })
  > {
    const { stdout } = await mustRunScript(this.host, RESTORED_STATE_SCRIPT, [this.directory, String(pid)], {
      what: 'Looking at the workload',
    });
    const [word, startTicks, ...boot] = stdout.trim().split(' ');
    if (word === 'there') return { pid, startTicks: Number(startTicks), boot: boot.join(' ') };
    return word === 'cleaned' ? 'cleaned' : 'gone';
  }

  /**
   * Starts criu and waits until it holds or has ended, in one round trip.
   * @param first a fixed script to run before; any exit code but 0 keeps criu from being started
   */
  async start(signal: AbortSignal, first: FirstScript = { script: ':', args: [] }): Promise<HoldState> {
    if (this.#hasLeaseFromStart) this.#keepLease();
    const state = await this.#await('held', START_SCRIPT, [first.script, ...first.args], { signal });
    if (state.kind === 'held' && !this.#hasLeaseFromStart) this.#keepLease();
    if (state.kind !== 'held') clearInterval(this.#renewal);
    return state;
  }

  /**
   * Decides, and waits until criu has ended, in one round trip. The first decision counts, be it ours or the lease's. When
   * criu did not do what was decided, its part is done in its place; saying it again tries that again.
   * @returns the decision that counts, `none` when the hold does not exist (any more), and how criu ended
   * @throws FlowError HOLD_LOST when criu's part cannot be done
   */
  async decide(decision: 'commit' | 'abort'): Promise<{
    readonly decision: 'commit' | 'abort' | 'none';
    /** Who has aborted it, if not a controller. */
    readonly by?: string;
    readonly end: HoldEnd;
    readonly settled?: Settled;
  }> {
    clearInterval(this.#renewal);
    let counts: string | undefined;
    let by: string | undefined;
    const end = await this.#await('exit', DECIDE_SCRIPT, [decision], {
      onFirstLine: (line) => {
        [counts, by] = line.split(' ');
      },
    });
    if (end.kind === 'held') throw new Error('hold: waited for the end');
    const decided = this.#decisionOf(counts, end);
    const settled = await this.#settle(end);
    return { decision: decided, end, ...(by ? { by } : {}), ...(settled ? { settled } : {}) };
  }

  /**
   * Decides that the tasks of a dump that serves its memory may never run on by themselves. They stay frozen until all is fetched.
   * @returns the decision that counts, `none` when the hold does not exist
   */
  async commitServing(): Promise<'commit' | 'abort' | 'none'> {
    clearInterval(this.#renewal);
    let counts: string | undefined;
    const state = await this.#await('held', DECIDE_SCRIPT, ['commit'], {
      onFirstLine: (line) => {
        [counts] = line.split(' ');
      },
    });
    return this.#decisionOf(counts, state);
  }

  /** @param word as the host has said it @throws FlowError HOLD_LOST when it has said none */
  #decisionOf(word: string | undefined, state: HoldState): 'commit' | 'abort' | 'none' {
    if (word === 'commit' || word === 'abort' || word === 'none') return word;
    throw new FlowError('HOLD_LOST', `The decision cannot be made on ${this.host.name}`, {
      host: this.host.name,
      evidence: state.kind === 'refused' ? state.stderr : (word ?? ''),
      command: commandOn(this.host, ['df', this.directory]),
    });
  }

  /** Waits until a dump that serves its memory does so no more. @returns `gone` when its host was started again since */
  async untilServed(signal: AbortSignal): Promise<'ended' | 'gone' | 'cleaned'> {
    const { stdout } = await mustRunScript(this.host, UNTIL_SERVED_SCRIPT, [this.directory], {
      what: 'Watching the page server',
      timeoutMs: Number.POSITIVE_INFINITY,
      signal,
    });
    const word = stdout.trim();
    return word === 'gone' || word === 'cleaned' ? word : 'ended';
  }

  /** Ends the tasks of a dump that served its memory, all of which was fetched. Idempotent. @throws FlowError HOLD_LOST */
  async endServed(): Promise<void> {
    const { stdout } = await mustRunScript(this.host, END_SERVED_SCRIPT, [this.directory], {
      what: 'Ending the copy on the source',
      timeoutMs: SETTLE_TIMEOUT_MS,
    });
    const word = stdout.trim();
    if (word === 'ended') return;
    throw new FlowError('HOLD_LOST', `The copy on ${this.host.name} was not ended`, {
      host: this.host.name,
      evidence: word,
      hint: 'Somebody has let it run on there.',
    });
  }

  async #settle(end: HoldEnd): Promise<Settled | undefined> {
    if (end.kind === 'absent' || end.kind === 'refused') return undefined;
    if (end.kind === 'exited' && end.exitCode === 0) return undefined;
    const { exitCode, stdout, stderr } = await runScript(
      this.host,
      SETTLE_SCRIPT,
      [this.directory, wasKilled(end) ? 'killed' : 'failed'],
      { timeoutMs: SETTLE_TIMEOUT_MS },
    );
    const word = stdout.trim();
    if (exitCode === 0) return SETTLED.find((each) => each === word);
    const how = wasKilled(end) ? 'killed' : 'failed';
    const { evidence, allTheSame } = readComplaint(stderr);
    throw new FlowError(
      'HOLD_LOST',
      `criu on ${this.host.name} ${describeEnd(end)}, and nobody did its part`,
      {
        host: this.host.name,
        evidence,
        hint:
          allTheSame === undefined
            ? `The images are in ${posix.dirname(this.directory)}/images. When what it says is put right, try again.`
            : `The images are in ${posix.dirname(this.directory)}/images. To restore from them all the same, run the command, then try again.`,
        command: commandOn(this.host, allTheSame?.split(' ') ?? ['sh', `${this.directory}/settle`, how]),
      },
    );
  }

  /**
   * Restores from the images what was rebuilt here and given up, or was never begun, as after a commit. Only when no other copy can
   * ever run. Idempotent.
   * @param first what else would have run before criu
   * @returns how that ended, when it refused
   * @throws FlowError HOLD_LOST when it cannot be restored
   */
  async revive({ script, args }: FirstScript): Promise<{ exitCode: number; stderr: string } | undefined> {
    const { exitCode, stderr } = await runScript(
      this.host,
      REVIVE_SCRIPT,
      [this.directory, script, ...args],
      { timeoutMs: SETTLE_TIMEOUT_MS },
    );
    if (exitCode === 0) return undefined;
    // As `settle` ends, it ends with 1.
    if (exitCode > 1) return { exitCode, stderr: stderr.trim() };
    const { evidence, allTheSame } = readComplaint(stderr);
    const images = `The images are in ${posix.dirname(this.directory)}/images.`;
    throw new FlowError('HOLD_LOST', `The workload cannot be restored on ${this.host.name} from its images`, {
      host: this.host.name,
      evidence,
      hint:
        allTheSame === undefined
          ? `${images} When what it says is put right, try again.`
          : `${images} To restore from them all the same, run the command, then try again.`,
      command: allTheSame === undefined ? this.restoreCommand : commandOn(this.host, allTheSame.split(' ')),
    });
  }

  /**
   * Decides for a copy that has ended, and that this host cannot bring back, that it never will. Idempotent; nothing is done where there
   * is no such hold any more.
   * @throws FlowError RESUME_REFUSED when it runs there again
   */
  async relinquish(): Promise<void> {
    const { stdout } = await mustRunScript(this.host, RELINQUISH_SCRIPT, [this.directory], {
      what: 'Deciding that the copy stays ended',
    });
    if (stdout.trim() === '') return;
    throw new FlowError(
      'RESUME_REFUSED',
      `The workload runs on ${this.host.name}: it was brought back there`,
      {
        host: this.host.name,
        hint: 'Nothing was done on the destination. Look again where it is.',
      },
    );
  }

  /** For a person: restores the workload from its images once more, or lets one run on that stays stopped, when nothing of it runs there. */
  get restoreCommand(): string {
    return commandOn(this.host, ['sh', `${this.directory}/settle`, 'again']);
  }

  /**
   * Ends what a criu that was killed left of itself: helpers that it had forked, which its death does not end. Restored
   * tasks have sessions of their own and are not among them.
   */
  async endRemains(): Promise<void> {
    await killProcess(this.host, `${this.directory}/process`, { graceMs: 0 });
  }

  /**
   * Rings the bell three times in a lease, until the decision. A ring that is lost is not our failure: the lease then
   * ends, and the decision says so.
   */
  #keepLease(): void {
    if (this.#leaseSeconds === undefined) return;
    const bells = ['doorbell', 'sending'].map((name) => `${this.directory}/${name}`);
    const ring = ['sh', '-c', 'for bell; do printf x 1<> "$bell"; done', 'criu-flow', ...bells];
    this.#renewal = setInterval(
      () => {
        this.host.run(ring).catch(() => undefined);
      },
      (this.#leaseSeconds * 1000) / 3,
    );
    this.#renewal.unref();
  }

  /** Runs a script that ends as AWAIT_SCRIPT does, then that one, until there is something to tell. */
  async #await(
    goal: 'held' | 'exit',
    firstScript: string,
    args: readonly string[],
    options: { readonly signal?: AbortSignal; readonly onFirstLine?: (line: string) => void },
  ): Promise<HoldState> {
    const { signal, onFirstLine } = options;
    let isLost = false;
    for (let script = firstScript; ; script = AWAIT_SCRIPT) {
      const result = await runScript(this.host, script, [this.directory, goal, ...args], {
        timeoutMs: 30_000,
        ...(signal ? { signal } : {}),
      });
      const { exitCode, stdout, stderr } = result;
      if (exitCode !== 0) return { kind: 'refused', exitCode, stderr: stderr.trim() };
      const lines = stdout.trim().split('\n');
      if (script !== AWAIT_SCRIPT && lines[0] !== undefined) onFirstLine?.(lines[0]);
      const [word, number, ms, ...tasks] = (lines.at(-1) ?? '').split(' ');
      if (word === 'held') {
        return {
          kind: 'held',
          imageBytes: Number(number),
          criuMs: Number(ms),
          tasks: tasks.filter(Boolean).map(toTask),
        };
      }
      if (word === 'exit' && /^\d+$/.test(number ?? '')) return { kind: 'exited', exitCode: Number(number) };
      if (word === 'absent') return { kind: 'absent' };
      // Who watches over criu may have ended after it was waited for, and said how.
      if (isLost) return { kind: 'lost' };
      const state = await processState(this.host, `${this.directory}/process`);
      isLost = state.kind === 'exited' || (state.kind === 'lost' && state.pid === undefined);
    }
  }
}

/** The action script of the hold in that directory. */
export function actionScriptOf(directory: string): string {
  return `${directory}/hold`;
}

function toTask(text: string): Task {
  const [pid, startTicks] = text.split(':').map(Number);
  return { pid: pid ?? Number.NaN, startTicks: startTicks ?? Number.NaN };
}

/** Milliseconds: criu may have to write or read all of the workload's memory. */
const SETTLE_TIMEOUT_MS = 300_000;

/** What `settle` says when it fails: why, and what may be run all the same. */
function readComplaint(stderr: string): { readonly evidence: string; readonly allTheSame?: string } {
  const [, evidence = '', allTheSame] = /^([^]*?)(?:\nrun: (.+))?$/.exec(stderr.trim()) ?? [];
  return { evidence, ...(allTheSame !== undefined && { allTheSame }) };
}

const SETTLED = ['resumed', 'healed', 'restored', 'ended', 'gone', 'stopped'] as const;

/** By a signal, as the shell tells it (128 + N); criu itself fails with 1 or 255. */
function wasKilled(end: HoldEnd): boolean {
  return end.kind === 'lost' || (end.kind === 'exited' && end.exitCode > 128 && end.exitCode < 255);
}

/** A line of the file `tasks`. A path with a line feed in it is left out: who looks then goes by the start time alone. */
export function taskLine({ pid, startTicks, executable }: Recovery['tasks'][number]): string {
  return `${pid} ${startTicks} ${executable.includes('\n') ? '' : executable}`.trimEnd();
}

/** A word on each line, as root's shell will read them. */
function wordsOf(argv: readonly string[]): string {
  if (argv.some((word) => word.includes('\n'))) throw new Error(`a line feed in ${JSON.stringify(argv)}`);
  return argv.join('\n');
}

/** The names and texts of the files in a hold's directory. */
function filesOf({
  leaseSeconds,
  fence,
  onResume,
  onHeld,
  recovery,
  cut,
  endsAtAbort = false,
  serves = false,
  lazyPages,
  scope,
}: HoldOptions): string[] {
  const files: [string, string][] = [['hold', HOLD_SCRIPT]];
  if (leaseSeconds !== undefined) files.push(['lease', String(leaseSeconds)]);
  if (cut !== undefined) files.push(['cut', cut]);
  if (onHeld !== undefined) files.push(['on-held', onHeld]);
  if (endsAtAbort) files.push(['ends-at-abort', '']);
  if (serves) files.push(['serves', '']);
  if (scope) files.push(['scope', [...scope.names, ...scope.properties].join('\n')]);
  if (lazyPages) files.push(...LAZY_PAGES_FILES.map(([name, text]): [string, string] => [name, text]));
  if (fence) files.push(['fence.nft', fence.text], ['fence.table', fence.table]);
  if (onResume) files.push(['on-resume', onResume.script], ['values', onResume.values.join('\n')]);
  if (recovery) {
    files.push(['settle', recovery.script], ['tasks', recovery.tasks.map(taskLine).join('\n')]);
    if (recovery.again) files.push(['again', wordsOf(recovery.again)]);
    if (recovery.heal) files.push(['heal', wordsOf(recovery.heal)]);
    const { beforeAgain } = recovery;
    if (beforeAgain) {
      files.push(['before-again', beforeAgain.script], ['address', beforeAgain.address.join('\n')]);
    }
  }
  return files.flat();
}
