import {
  closeSync,
  existsSync,
  type FSWatcher,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  watch,
} from 'node:fs';
import { basename, join } from 'node:path';
import { FlowError } from '../errors/flow-error.ts';
import { journalName, JOURNAL_VERSION, type JournalRecord, parseLine } from './journal-format.ts';
import { runsDirectory } from './runs-directory.ts';

/** How a run stands, as far as its directory tells. */
export type RunState =
  | {
      readonly kind: 'ended';
      /** ISO 8601, the controller's clock. */
      readonly endedAt: string;
      /** As the journal has them; another version may have words of its own. */
      readonly outcome: string;
      readonly workloadIsOn: string;
      readonly exitCode: number | undefined;
    }
  /** No end was written: its controller is at work, or was killed. */
  | { readonly kind: 'open'; readonly controller: unknown }
  | { readonly kind: 'damaged' | 'unknown-version'; readonly damage: FlowError };

/** The journal of one attempt, as far as it is whole. */
interface ScannedJournal {
  readonly file: string;
  readonly records: readonly JournalRecord[];
}

export interface ScannedRun {
  /** The name of its directory. */
  readonly id: string;
  readonly path: string;
  /** ISO 8601; undefined when neither the journal nor the id tells. */
  readonly beganAt: string | undefined;
  readonly recipe: string | undefined;
  readonly source: string | undefined;
  readonly destination: string | undefined;
  readonly sshConfigFile: string | undefined;
  readonly state: RunState;
  readonly journals: readonly ScannedJournal[];
}

export type ListedRun = Omit<ScannedRun, 'journals'>;

/** The ids of this user's runs; none when nothing was ever run. */
export function runIds(env: NodeJS.ProcessEnv = process.env): readonly string[] {
  try {
    return readdirSync(runsDirectory(env), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map(({ name }) => name);
  } catch (error) {
    if (isMissing(error)) return [];
    throw new FlowError('COMMAND_FAILED', `${runsDirectory(env)} cannot be read`, {
      hint: 'The runs of a user are readable by that user only.',
      evidence: String(error),
      cause: error,
    });
  }
}

/** All runs of this user, newest first. One that is damaged does not hide the others. */
export function listRuns(env: NodeJS.ProcessEnv = process.env): readonly ListedRun[] {
  return (
    runIds(env)
      .map((id) => {
        // The records of thousands of runs are not kept.
        const { journals: _, ...run } = scanRun(join(runsDirectory(env), id));
        return run;
      })
      // Somebody may remove runs meanwhile.
      .filter(({ path }) => existsSync(path))
      .toSorted((a, b) => compare(b.beganAt ?? '', a.beganAt ?? '') || compare(b.id, a.id))
  );
}

/**
 * The directory of a run: named by its id, by a beginning or an end of it that only this run has, or by the path itself.
 * @throws FlowError RUN_NOT_FOUND; USAGE when several runs are meant
 */
export function findRun(name: string, env: NodeJS.ProcessEnv = process.env): string {
  if (name.includes('/')) {
    if (existsSync(join(name, journalName(1)))) return name;
    throw notFound(`There is no run in ${name}`);
  }
  const ids = runIds(env);
  // An empty name is a script's mistake, and fits every run.
  const fitting = ids.includes(name)
    ? [name]
    : ids.filter((id) => name !== '' && (id.startsWith(name) || id.endsWith(name)));
  const [id] = fitting;
  if (id === undefined) throw notFound(`There is no run ${JSON.stringify(name)}`);
  if (fitting.length > 1) {
    throw new FlowError('USAGE', `${JSON.stringify(name)} is short for ${fitting.length} runs`, {
      hint: 'Give more of the id.',
      evidence: fitting.toSorted().join('\n'),
    });
  }
  return join(runsDirectory(env), id);
}

/** Reads what there is of a run, and says what is wrong with it instead of failing. */
export function scanRun(path: string): ScannedRun {
  const journals: ScannedJournal[] = [];
  let damage: JournalDamage | undefined;
  for (let attempt = 1; attempt === 1 || existsSync(join(path, journalName(attempt))); attempt++) {
    const records: JournalRecord[] = [];
    const file = join(path, journalName(attempt));
    try {
      const parser = new JournalParser(file);
      for (const record of parser.take(readFileSync(file))) records.push(record);
      if (attempt === 1) parser.requireBeginning();
    } catch (error) {
      damage ??= asDamage(error, file);
    }
    journals.push({ file, records });
  }
  const header = journals[0]?.records[0];
  return {
    id: basename(path),
    path,
    beganAt: textOf(header?.at) ?? timeOfId(basename(path)),
    ...glanceAtPlan(path),
    sshConfigFile: textOf(header?.['sshConfigFile']),
    state: damage
      ? { kind: damage.isVersion ? 'unknown-version' : 'damaged', damage }
      : stateOf(journals.flatMap(({ records }) => records)),
    journals,
  };
}

/** The last attempt that began counts: the controller of an earlier one may have written its end later. */
function stateOf(records: readonly JournalRecord[]): RunState {
  const began = records.findLastIndex(({ kind }) => kind === 'attempt');
  const end = records.slice(Math.max(began, 0)).findLast(({ kind }) => kind === 'run-finished');
  if (!end) return { kind: 'open', controller: records[began]?.['controller'] };
  const summary = isObject(end['summary']) ? end['summary'] : {};
  return {
    kind: 'ended',
    endedAt: end.at,
    outcome: textOf(summary['outcome']) ?? 'unknown',
    workloadIsOn: textOf(summary['workloadIsOn']) ?? 'unknown',
    exitCode: typeof summary['exitCode'] === 'number' ? summary['exitCode'] : undefined,
  };
}

/** The plan says it also where the journal is damaged. */
function glanceAtPlan(path: string): Pick<ScannedRun, 'recipe' | 'source' | 'destination'> {
  let plan: unknown;
  try {
    plan = JSON.parse(readFileSync(join(path, 'plan.json'), 'utf8'));
  } catch {
    // Without it the run is listed all the same.
  }
  const fields = isObject(plan) ? plan : {};
  return {
    recipe: textOf(fields['name']),
    source: textOf(fields['source']),
    destination: textOf(fields['destination']),
  };
}

function timeOfId(id: string): string | undefined {
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-/.exec(id) ?? [];
  const [year, month, day, hour, minute, second] = parts;
  return second === undefined ? undefined : `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
}

/** Why a run is followed no more: its end was written, nobody is left to write it, or the signal was given. */
type FollowedTo = 'end' | 'abandoned' | 'stopped';

interface FollowOptions {
  /** Whether the controller, as far as the records told, is known to be gone. */
  readonly isAbandoned: () => boolean;
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds until the journal is looked at again without a sign: file systems of other machines give none, and a
   * controller that is killed gives none either.
   * @default 2000
   */
  readonly recheckMs?: number;
}

/**
 * The records of a run, from its first one, those to come as they are written, until its end; also of later attempts.
 * @throws FlowError JOURNAL_CORRUPT after the records before the damage
 */
export async function* followRun(
  path: string,
  options: FollowOptions,
): AsyncGenerator<JournalRecord, FollowedTo> {
  const alarm = new Alarm(path, options.recheckMs ?? 2000, options.signal);
  let attempt = 1;
  let file = new GrowingFile(join(path, journalName(attempt)));
  try {
    let parser = new JournalParser(file.path);
    let last: JournalRecord | undefined;
    for (;;) {
      // Both are asked before the journal is read to its end: what was written until then is not missed.
      const isAbandoned = options.isAbandoned();
      const isTakenUp = existsSync(join(path, journalName(attempt + 1)));
      let isNew = false;
      for (let piece = file.read(); piece.length > 0; piece = file.read()) {
        isNew = true;
        for (const record of parser.take(piece)) yield (last = record);
      }
      if (isTakenUp) {
        attempt += 1;
        file.close();
        file = new GrowingFile(join(path, journalName(attempt)));
        parser = new JournalParser(file.path);
        last = undefined;
        continue;
      }
      if (last?.kind === 'run-finished') return 'end';
      if (options.signal?.aborted === true) return 'stopped';
      if (isNew) continue;
      if (isAbandoned) return 'abandoned';
      await alarm.wait();
    }
  } finally {
    file.close();
    alarm.close();
  }
}

/** Wakes up when something in a directory changes. */
class Alarm {
  readonly #recheckMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #watcher: FSWatcher | undefined;
  #hasRung = false;
  #wake: () => void = () => undefined;

  constructor(path: string, recheckMs: number, signal: AbortSignal | undefined) {
    this.#recheckMs = recheckMs;
    this.#signal = signal;
    signal?.addEventListener('abort', this.#ring);
    try {
      this.#watcher = watch(path, this.#ring);
      this.#watcher.on('error', () => undefined);
    } catch {
      // No inotify left, or a directory that is gone: the journal is looked at now and then all the same.
    }
  }

  async wait(): Promise<void> {
    if (!this.#hasRung) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, this.#recheckMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#hasRung = false;
  }

  close(): void {
    this.#watcher?.close();
    this.#signal?.removeEventListener('abort', this.#ring);
  }

  readonly #ring = (): void => {
    this.#hasRung = true;
    this.#wake();
  };
}

class GrowingFile {
  readonly path: string;
  readonly #descriptor: number;
  readonly #piece = Buffer.alloc(65_536);

  /** @throws FlowError RUN_NOT_FOUND */
  constructor(path: string) {
    this.path = path;
    try {
      this.#descriptor = openSync(path, 'r');
    } catch (error) {
      throw notFound(`${path} cannot be read`, error);
    }
  }

  /** The next piece; an empty one where the file ends for now. */
  read(): Buffer {
    return Buffer.from(this.#piece.subarray(0, readSync(this.#descriptor, this.#piece)));
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** Takes a journal in pieces of any size. What follows its last line feed is not read: a crash may have torn it. */
class JournalParser {
  readonly #file: string;
  #rest: Buffer[] = [];
  #lines = 0;

  constructor(file: string) {
    this.#file = file;
  }

  /** @throws JournalDamage after the records before the damage */
  *take(piece: Buffer): Generator<JournalRecord> {
    let from = 0;
    for (let to = piece.indexOf(10); to !== -1; to = piece.indexOf(10, from)) {
      const line = Buffer.concat([...this.#rest, piece.subarray(from, to)]).toString();
      this.#rest = [];
      from = to + 1;
      this.#lines += 1;
      yield this.#check(line, parseLine(line));
    }
    if (from < piece.length) this.#rest.push(piece.subarray(from));
  }

  /** @throws JournalDamage */
  requireBeginning(): void {
    if (this.#lines === 0) throw new JournalDamage(`${this.#file} has no whole line`);
  }

  #check(line: string, record: JournalRecord | undefined): JournalRecord {
    const number = this.#lines;
    const isFirst = number === 1;
    if (record === undefined && isFirst && isWithoutVersion(line)) {
      throw new JournalDamage(
        `${this.#file} was written by a criu-flow from before journals had a version`,
        true,
      );
    }
    if (record === undefined) throw new JournalDamage(`Line ${number} of ${this.#file} is damaged`);
    if (record.sequence !== number) {
      throw new JournalDamage(`Line ${number} of ${this.#file} has the number ${record.sequence}`);
    }
    if (isFirst && record.kind !== 'journal') {
      throw new JournalDamage(`Line 1 of ${this.#file} is not the beginning of a journal`);
    }
    if (isFirst && record['version'] !== JOURNAL_VERSION) {
      throw new JournalDamage(
        `${this.#file} has version ${String(record['version'])}; this criu-flow reads version ${JOURNAL_VERSION}`,
        true,
      );
    }
    return record;
  }
}

class JournalDamage extends FlowError {
  /** The journal may be whole, but not for this version. */
  readonly isVersion: boolean;

  constructor(message: string, isVersion = false) {
    super('JOURNAL_CORRUPT', message, {
      hint: isVersion
        ? 'Use the version of criu-flow that began the run.'
        : 'What came after it is not known, so nothing is guessed. Look at both hosts.',
    });
    this.isVersion = isVersion;
  }
}

function isWithoutVersion(line: string): boolean {
  try {
    const record: unknown = JSON.parse(line);
    return isObject(record) && record['kind'] === 'run-started' && record['crc32'] === undefined;
  } catch {
    return false;
  }
}

function asDamage(error: unknown, file: string): JournalDamage {
  if (error instanceof JournalDamage) return error;
  return new JournalDamage(
    `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
  );
}

function notFound(message: string, cause?: unknown): FlowError {
  return new FlowError('RUN_NOT_FOUND', message, {
    hint: "This lists the user's runs:",
    command: 'criu-flow runs',
    ...(cause instanceof Error ? { evidence: cause.message, cause } : {}),
  });
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
