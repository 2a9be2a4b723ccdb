import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { FlowError } from '../errors/flow-error.ts';
import {
  journalName,
  JOURNAL_VERSION,
  type JournalRecord,
  parseLine,
  type RunHeader,
} from './journal-format.ts';
import { runsDirectory } from './runs-directory.ts';

/** A run as its directory has it. */
export interface StoredRun {
  readonly runId: string;
  readonly path: string;
  /** As it was written; whoever uses it knows its type. */
  readonly plan: unknown;
  readonly header: RunHeader;
  /** Of all attempts, in order, each with its header first. */
  readonly records: readonly JournalRecord[];
  /** How many attempts there were: `run`, then each `resume` and `rollback`. */
  readonly attempts: number;
}

/**
 * Reads a run by its id, or by the path of its directory. A last line without an end, which a crash leaves, is not read.
 * @throws FlowError RUN_NOT_FOUND; JOURNAL_CORRUPT with the first line that is not what was written
 */
export function readRun(idOrPath: string, env: NodeJS.ProcessEnv = process.env): StoredRun {
  const path = idOrPath.includes('/') ? idOrPath : join(runsDirectory(env), idOrPath);
  const first = readJournal(path, 1);
  const records = [...first];
  let attempts = 1;
  while (existsSync(join(path, journalName(attempts + 1)))) {
    attempts += 1;
    records.push(...readJournal(path, attempts));
  }
  const header = first[0];
  return {
    runId: typeof header?.['runId'] === 'string' ? header['runId'] : basename(path),
    path,
    plan: parsePlan(path),
    header: {
      sshConfigFile: typeof header?.['sshConfigFile'] === 'string' ? header['sshConfigFile'] : undefined,
      keepImages: header?.['keepImages'] === true,
    },
    records,
    attempts,
  };
}

function readJournal(path: string, attempt: number): JournalRecord[] {
  const name = journalName(attempt);
  const journal = readOrExplain(path, name);
  const lines = journal
    .subarray(0, journal.lastIndexOf(10) + 1)
    .toString()
    .split('\n')
    .slice(0, -1);
  // A crash can come before the first line is whole: then the attempt did nothing.
  if (lines.length === 0 && attempt > 1) return [];
  const records = lines.map((line, index) => {
    const record = parseLine(line);
    if (record?.sequence === index + 1) return record;
    throw corrupt(
      path,
      name,
      index + 1,
      record === undefined ? 'is damaged' : `has the number ${record.sequence}`,
    );
  });
  const [header] = records;
  if (header?.kind !== 'journal') throw corrupt(path, name, 1, 'is not the beginning of a journal');
  if (header['version'] !== JOURNAL_VERSION) {
    throw new FlowError(
      'JOURNAL_CORRUPT',
      `The journal in ${path} has version ${String(header['version'])}; this criu-flow reads version ${JOURNAL_VERSION}`,
      { hint: 'Use the version of criu-flow that began the run.' },
    );
  }
  return records;
}

function parsePlan(path: string): unknown {
  const text = readOrExplain(path, 'plan.json').toString();
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FlowError('JOURNAL_CORRUPT', `${join(path, 'plan.json')} is damaged`, {
      hint: 'Take it from a backup: without the plan nothing can be taken up again.',
      cause: error,
    });
  }
}

function readOrExplain(path: string, name: string): Buffer {
  try {
    return readFileSync(join(path, name));
  } catch (error) {
    throw new FlowError('RUN_NOT_FOUND', `There is no run in ${path}`, {
      hint: 'criu-flow runs lists those of this user.',
      evidence: error instanceof Error ? error.message : String(error),
      cause: error,
    });
  }
}

function corrupt(path: string, name: string, line: number, what: string): FlowError {
  return new FlowError('JOURNAL_CORRUPT', `Line ${line} of ${join(path, name)} ${what}`, {
    hint: 'What came after it is not known, so nothing is guessed. criu-flow runs show has the lines before it, criu-flow locks what the hosts know.',
  });
}
