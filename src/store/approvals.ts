import { mkdirSync, readdirSync, readFileSync, renameSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';

/** What somebody says to a step that asks for approval. */
export interface Answer {
  /** A login name. */
  readonly by: string;
  readonly isApproved: boolean;
  readonly reason?: string;
  /** ISO 8601. */
  readonly at: string;
}

/**
 * The answers to one step, one of each person, in the order of their names. A file that is not an answer is none.
 * @param directory of the run
 */
export function readAnswers(directory: string, stepId: string): readonly Answer[] {
  const place = placeOf(directory, stepId);
  let names: readonly string[];
  try {
    names = readdirSync(place).filter((name) => name.endsWith('.json'));
  } catch {
    return [];
  }
  return names.toSorted().flatMap((name) => {
    const answer = parseAnswer(join(place, name));
    // One of each person: the file's name says whose it is.
    return answer && name === `${encodeURIComponent(answer.by)}.json` ? [answer] : [];
  });
}

/** Leaves an answer, wholly or not at all; a person who answers again has changed their mind. */
export function writeAnswer(directory: string, stepId: string, answer: Answer): void {
  const place = placeOf(directory, stepId);
  mkdirSync(place, { recursive: true, mode: 0o700 });
  const file = join(place, `${encodeURIComponent(answer.by)}.json`);
  writeFileSync(`${file}.new`, `${JSON.stringify(answer)}\n`, { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
}

/** Waits until somebody may have answered, or the time is over, or the signal aborts. Never rejects. */
export async function untilAnswered(
  directory: string,
  stepId: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const place = placeOf(directory, stepId);
  mkdirSync(place, { recursive: true, mode: 0o700 });
  const over = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const watcher = watch(place, { signal: over });
  await once(watcher, 'change', { signal: over }).catch(() => undefined);
  watcher.close();
}

function placeOf(directory: string, stepId: string): string {
  return join(directory, 'approvals', encodeURIComponent(stepId));
}

function parseAnswer(file: string): Answer | undefined {
  try {
    const { by, isApproved, reason, at }: Record<string, unknown> = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof by !== 'string' || typeof isApproved !== 'boolean' || typeof at !== 'string') return undefined;
    return { by, isApproved, at, ...(typeof reason === 'string' ? { reason } : {}) };
  } catch {
    return undefined;
  }
}
