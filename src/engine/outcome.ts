import type { FailureData, RunOutcome } from '../events/event.ts';

/** How far a run came. */
export interface Progress {
  /** Something on a host was changed (or a recipe's own command ran). */
  readonly touched: boolean;
  /** The source was told to end its copy. */
  readonly committed: boolean;
  /** The destination's release was confirmed. */
  readonly released: boolean;
  readonly failure: FailureData | undefined;
  /** Another controller has taken the run up. */
  readonly superseded: boolean;
  readonly undoFailed: boolean;
  readonly objectiveMissed: boolean;
  /** After the release it was not seen to be alive. */
  readonly lost: boolean;
}

export function outcomeOf(progress: Progress): RunOutcome {
  if (progress.superseded) return 'superseded';
  // A run that begins, and finds its workload taken, has touched nothing; one that is taken up is not over.
  if (progress.failure?.code === 'LOCKED' && progress.committed) return 'locked';
  if (progress.lost) return 'rollback-incomplete';
  if (progress.released) {
    return progress.failure || progress.undoFailed || progress.objectiveMissed ? 'moved-but-missed' : 'done';
  }
  if (progress.committed || progress.undoFailed) return 'rollback-incomplete';
  return progress.touched ? 'rolled-back' : 'refused';
}

/** How an attempt to take a run back ended, which is never a move. */
export function outcomeOfRollback(failures: readonly FailureData[]): RunOutcome {
  const has = (code: FailureData['code']): boolean => failures.some((failure) => failure.code === code);
  if (has('SUPERSEDED')) return 'superseded';
  if (has('LOCKED')) return 'locked';
  return failures.length > 0 ? 'rollback-incomplete' : 'rolled-back';
}

/** What the process exits with; docs/exit-codes.md is the table. */
export function exitCodeOf(outcome: RunOutcome, failure: FailureData | undefined): number {
  switch (outcome) {
    case 'done':
      return 0;
    case 'moved-but-missed':
      return 7;
    case 'rollback-incomplete':
      return 6;
    case 'superseded':
    case 'locked':
      return 8;
    case 'refused':
    case 'rolled-back': {
      if (failure?.code === 'LOCKED') return 8;
      if (failure?.code === 'INTERRUPTED') return SIGNAL_EXITS[failure.evidence ?? ''] ?? 130;
      if (failure?.code === 'TIMEOUT') return 124;
      if (failure?.code === 'APPROVAL_REJECTED' || failure?.code === 'APPROVAL_EXPIRED') return 9;
      if (failure?.code === 'BUG') return 1;
      return outcome === 'refused' ? 4 : 5;
    }
  }
}

/** 128 + the signal's number, as shells report it. */
const SIGNAL_EXITS: Readonly<Record<string, number>> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };
