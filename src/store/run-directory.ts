import { randomBytes } from 'node:crypto';
import { closeSync, fdatasyncSync, fsyncSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

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

  private constructor(path: string, journal: number) {
    this.path = path;
    this.#journal = journal;
  }

  /**
   * Creates `$XDG_STATE_HOME/criu-flow/runs/ID` (mode 0700) with `plan.json` and an empty `journal.jsonl`.
   * @see XDG Base Directory Specification: the default is ~/.local/state.
   */
  static create(runId: string, plan: unknown, env: NodeJS.ProcessEnv = process.env): RunDirectory {
    const state = env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state');
    const path = join(state, 'criu-flow', 'runs', runId);
    const created = mkdirSync(path, { recursive: true, mode: 0o700 });
    writeFileSync(join(path, 'plan.json'), `${JSON.stringify(plan, null, 2)}\n`, {
      mode: 0o600,
      flush: true,
    });
    const journal = openSync(join(path, 'journal.jsonl'), 'a', 0o600);
    // A file that is on disk is lost all the same when its name is not.
    const top = dirname(created ?? path);
    for (let each = path; each.length >= top.length; each = dirname(each)) syncDirectory(each);
    return new RunDirectory(path, journal);
  }

  /** Appends a record. With `durable`, it is on disk when this returns: for what must be known after a crash. */
  append(record: object, options: { readonly durable: boolean }): void {
    writeSync(this.#journal, `${JSON.stringify({ at: new Date().toISOString(), ...record })}\n`);
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
