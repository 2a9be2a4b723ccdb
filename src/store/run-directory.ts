import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { FlowError } from '../errors/flow-error.ts';
import { quoteArguments } from '../host/quote.ts';
import { flowCommandOf } from './flow-command.ts';
import { formatLine, journalName, JOURNAL_VERSION, type RunHeader } from './journal-format.ts';
import { runsDirectory } from './runs-directory.ts';
import type { StoredRun } from './read-run.ts';

/**
 * A run's id: the UTC time at which it began and 16 random bits, for example `20261123-142339-a1b2`. Sorts by time and
 * is safe as a file name and in the name of an nft table.
 */
export function newRunId(now: Date = new Date()): string {
  const [date = '', time = ''] = now.toISOString().replaceAll(/[-:]/g, '').split('.')[0]?.split('T') ?? [];
  return `${date}-${time}-${randomBytes(2).toString('hex')}`;
}

/** The controller's record of one run: the plan and the journal, readable by its owner only. */
export class RunDirectory {
  readonly runId: string;
  readonly path: string;
  readonly header: RunHeader;
  readonly #journal: number;
  #sequence = 0;

  private constructor(run: Pick<StoredRun, 'runId' | 'path' | 'header'>, journal: number) {
    this.runId = run.runId;
    this.path = run.path;
    this.header = run.header;
    this.#journal = journal;
  }

  /**
   * Creates the directory of a new run, with an id that no other run of this user has.
   * @throws FlowError JOURNAL_FAILED
   */
  static createNew(
    plan: unknown,
    header: RunHeader = {},
    env: NodeJS.ProcessEnv = process.env,
  ): RunDirectory {
    let directory;
    // Of two that begin in the same second one in 65536 draws the other's.
    do directory = RunDirectory.#tryCreate(newRunId(), plan, header, env);
    while (!directory);
    return directory;
  }

  /**
   * Creates `$XDG_STATE_HOME/criu-flow/runs/ID` (mode 0700) with `plan.json` and the journal of the first attempt, which has
   * a header.
   * @throws FlowError JOURNAL_FAILED, also when there is such a run
   */
  static create(
    runId: string,
    plan: unknown,
    header: RunHeader = {},
    env: NodeJS.ProcessEnv = process.env,
  ): RunDirectory {
    const directory = RunDirectory.#tryCreate(runId, plan, header, env);
    if (directory) return directory;
    throw new FlowError('JOURNAL_FAILED', `There is a run ${runId} already`, {
      hint: 'Nothing of it was changed.',
    });
  }

  /** @returns undefined when there is such a run: nothing of it is changed */
  static #tryCreate(
    runId: string,
    plan: unknown,
    header: RunHeader,
    env: NodeJS.ProcessEnv,
  ): RunDirectory | undefined {
    const path = join(runsDirectory(env), runId);
    return orJournalFailed(path, () => {
      const created = mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      if (!makeDirectory(path)) return undefined;
      writeFileSync(join(path, 'plan.json'), `${JSON.stringify(plan, null, 2)}\n`, {
        mode: 0o600,
        flush: true,
      });
      const journal = openSync(join(path, journalName(1)), 'ax', 0o600);
      const directory = new RunDirectory({ runId, path, header }, journal);
      directory.append({ kind: 'journal', version: JOURNAL_VERSION, runId, ...header }, { durable: true });
      // A file that is on disk is lost all the same when its name is not.
      const top = dirname(created ?? path);
      for (let each = path; each.length >= top.length; each = dirname(each)) syncDirectory(each);
      return directory;
    });
  }

  /**
   * Begins the journal of one more attempt. It has a file of its own: the controller of an earlier attempt may still
   * write to its own.
   * @throws FlowError LOCKED when somebody else began that attempt in the same moment; JOURNAL_FAILED
   */
  static reopen(run: StoredRun): RunDirectory {
    const file = join(run.path, journalName(run.attempts + 1));
    const journal = orJournalFailed(run.path, () => openNew(file));
    if (journal === undefined) {
      throw new FlowError('LOCKED', `Somebody else has just taken run ${run.runId} up`, {
        evidence: `${file} is there already`,
        hint: 'Look who that is, and how it stands.',
        command: flowCommandOf(run)('status'),
      });
    }
    const directory = new RunDirectory(run, journal);
    directory.append({ kind: 'journal', version: JOURNAL_VERSION, runId: run.runId }, { durable: true });
    syncDirectory(run.path);
    return directory;
  }

  /**
   * Appends a record, wholly or not at all. With `durable`, it is on disk when this returns: for what must be known after a
   * crash.
   * @throws FlowError JOURNAL_FAILED
   */
  append(
    record: { readonly kind: string; readonly [field: string]: unknown },
    options: { readonly durable: boolean },
  ): void {
    const sequence = this.#sequence + 1;
    const line = Buffer.from(formatLine({ sequence, at: new Date().toISOString(), ...record }));
    orJournalFailed(this.path, () => {
      const { size } = fstatSync(this.#journal);
      try {
        const written = writeSync(this.#journal, line);
        if (written < line.length)
          throw new Error(`only ${written} of ${line.length} bytes could be written`);
      } catch (error) {
        // Half a line would spoil the next one, which may find room again.
        ftruncateSync(this.#journal, size);
        throw error;
      }
      this.#sequence = sequence;
      if (options.durable) fdatasyncSync(this.#journal);
    });
  }

  /**
   * Writes a file beside the journal, for example a log of criu.
   * @throws FlowError JOURNAL_FAILED
   */
  keep(name: string, content: string): void {
    orJournalFailed(this.path, () => writeFileSync(join(this.path, name), content, { mode: 0o600 }));
  }

  close(): void {
    closeSync(this.#journal);
  }
}

/** @returns false when it is there already */
function makeDirectory(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (isTaken(error)) return false;
    throw error;
  }
}

/** Begins a file that nobody else has begun. @returns its descriptor, undefined when it is there already */
function openNew(file: string): number | undefined {
  try {
    return openSync(file, 'ax', 0o600);
  } catch (error) {
    if (isTaken(error)) return undefined;
    throw error;
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST';
}

function orJournalFailed<Result>(path: string, write: () => Result): Result {
  try {
    return write();
  } catch (error) {
    if (error instanceof FlowError) throw error;
    throw new FlowError('JOURNAL_FAILED', `The run directory ${path} cannot be written`, {
      host: 'local',
      evidence: error instanceof Error ? error.message : String(error),
      hint: 'Without it a run could not be taken up after a crash. Make room there, or name another place in XDG_STATE_HOME.',
      command: quoteArguments(['df', dirname(path)]),
      cause: error,
    });
  }
}

/** @see fsync(2): a file's entry in its directory needs an fsync of its own. */
function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
