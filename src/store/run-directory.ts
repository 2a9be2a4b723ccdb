import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { formatLine, JOURNAL_VERSION, type RunHeader } from './journal-format.ts';
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
  readonly path: string;
  readonly #journal: number;
  #sequence: number;

  private constructor(path: string, journal: number, sequence: number) {
    this.path = path;
    this.#journal = journal;
    this.#sequence = sequence;
  }

  /**
   * Creates `$XDG_STATE_HOME/criu-flow/runs/ID` (mode 0700) with `plan.json` and a `journal.jsonl` that has its header.
   */
  static create(
    runId: string,
    plan: unknown,
    header: RunHeader = {},
    env: NodeJS.ProcessEnv = process.env,
  ): RunDirectory {
    const path = join(runsDirectory(env), runId);
    const created = mkdirSync(path, { recursive: true, mode: 0o700 });
    writeFileSync(join(path, 'plan.json'), `${JSON.stringify(plan, null, 2)}\n`, {
      mode: 0o600,
      flush: true,
    });
    const journal = openSync(join(path, 'journal.jsonl'), 'a', 0o600);
    const directory = new RunDirectory(path, journal, 0);
    directory.append({ kind: 'journal', version: JOURNAL_VERSION, runId, ...header }, { durable: true });
    // A file that is on disk is lost all the same when its name is not.
    const top = dirname(created ?? path);
    for (let each = path; each.length >= top.length; each = dirname(each)) syncDirectory(each);
    return directory;
  }

  /** Goes on with the journal of a run that was read; a last line that was torn is cut off. */
  static reopen(run: StoredRun): RunDirectory {
    const journal = openSync(join(run.path, 'journal.jsonl'), 'r+');
    ftruncateSync(journal, run.wholeBytes);
    closeSync(journal);
    return new RunDirectory(run.path, openSync(join(run.path, 'journal.jsonl'), 'a'), run.records.length);
  }

  /** Appends a record. With `durable`, it is on disk when this returns: for what must be known after a crash. */
  append(
    record: { readonly kind: string; readonly [field: string]: unknown },
    options: { readonly durable: boolean },
  ): void {
    const sequence = this.#sequence + 1;
    writeSync(this.#journal, formatLine({ sequence, at: new Date().toISOString(), ...record }));
    this.#sequence = sequence;
    if (options.durable) fdatasyncSync(this.#journal);
  }

  /** Writes a file beside the journal, for example a log of criu. */
  keep(name: string, content: string): void {
    writeFileSync(join(this.path, name), content, { mode: 0o600 });
  }

  close(): void {
    closeSync(this.#journal);
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
