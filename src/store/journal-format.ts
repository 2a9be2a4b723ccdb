import { crc32 } from 'node:zlib';

/** The form of the journal and of what its records mean; a reader refuses one that it does not know. */
export const JOURNAL_VERSION = 1;

/** The file of the n-th attempt's journal, from 1. */
export function journalName(attempt: number): string {
  return attempt === 1 ? 'journal.jsonl' : `journal-${attempt}.jsonl`;
}

/** What a run needs to be taken up again, besides its plan. */
export interface RunHeader {
  /** Another file than ~/.ssh/config. */
  readonly sshConfigFile?: string | undefined;
  readonly keepImages?: boolean | undefined;
}

/** One line of a journal: what happened, when, and in which place of the journal. */
export interface JournalRecord {
  /** Counts from 1, without a gap, in the journal of each attempt. */
  readonly sequence: number;
  /** ISO 8601, the controller's clock: for people, never for decisions. */
  readonly at: string;
  readonly kind: string;
  readonly [field: string]: unknown;
}

/**
 * A record as a line of JSON whose last field is a CRC-32 of all that is before it: a bit that flipped on the disk must
 * not pass for a fact about a process.
 */
export function formatLine(record: JournalRecord): string {
  const text = JSON.stringify(record);
  return `${text.slice(0, -1)},"crc32":"${checksum(text)}"}\n`;
}

/** @returns undefined for a line that is not whole, or not what was written */
export function parseLine(line: string): JournalRecord | undefined {
  const match = /^(.*),"crc32":"([0-9a-f]{8})"\}$/s.exec(line);
  if (match === null) return undefined;
  const text = `${match[1]}}`;
  if (checksum(text) !== match[2]) return undefined;
  try {
    const record: JournalRecord = JSON.parse(text);
    return record;
  } catch {
    return undefined;
  }
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}
