import { type Dirent, lstatSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { FlowError } from '../errors/flow-error.ts';
import type { RunState } from './list-runs.ts';
import { runsDirectory } from './runs-directory.ts';

/** After these nothing is left to do; after any other a person or a later attempt needs the journal. */
const OVER: ReadonlySet<string> = new Set(['done', 'refused', 'rolled-back', 'moved-but-missed']);

/** What a directory is called while it is removed: no id begins like this. */
const REMOVED = '.removed-';

/** Whether a run came to an end that leaves nothing to do. */
export function isOver(state: RunState): state is Extract<RunState, { kind: 'ended' }> {
  return state.kind === 'ended' && OVER.has(state.outcome);
}

/** Whether a run is over for that many milliseconds. One whose end lies in the future, or at no time, is not. */
export function isOverSince(state: RunState, ageMs: number, nowMs: number): boolean {
  return isOver(state) && nowMs - Date.parse(state.endedAt) >= ageMs;
}

/** Bytes of the files of a run. */
export function sizeOf(path: string): number {
  return readdirSync(path, { withFileTypes: true }).reduce(
    (bytes, entry) => bytes + sizeOfEntry(path, entry),
    0,
  );
}

function sizeOfEntry(directory: string, entry: Dirent): number {
  const path = join(directory, entry.name);
  return entry.isDirectory() ? sizeOf(path) : lstatSync(path).size;
}

/**
 * Removes the directory of a run. It loses its name first: what a crash leaves of it is no damaged run.
 * @throws FlowError COMMAND_FAILED
 */
export function removeRun(path: string): void {
  const removed = join(dirname(path), `${REMOVED}${basename(path)}`);
  try {
    renameSync(path, removed);
    rmSync(removed, { recursive: true });
  } catch (error) {
    throw new FlowError('COMMAND_FAILED', `${path} cannot be removed`, {
      hint: 'Is it on a disk that can be written, and does it belong to this user?',
      evidence: error instanceof Error ? error.message : String(error),
      cause: error,
    });
  }
}

/** Removes what removals that a crash cut off have left. */
export function sweepRemoved(env: NodeJS.ProcessEnv = process.env): void {
  const directory = runsDirectory(env);
  try {
    for (const name of readdirSync(directory)) {
      if (name.startsWith(REMOVED)) rmSync(join(directory, name), { recursive: true, force: true });
    }
  } catch {
    // Nothing was ever run, or the next time does it.
  }
}
