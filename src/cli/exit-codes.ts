import type { FailureData } from '../events/event.ts';

/** What the process exits with when no run was begun; docs/exit-codes.md is the table. */
export function exitCodeOfError({ code }: FailureData): number {
  switch (code) {
    case 'BUG':
      return 1;
    case 'USAGE':
    case 'RECIPE_NOT_FOUND':
    case 'RUN_NOT_FOUND':
    case 'APPROVAL_REFUSED':
    case 'INPUT_INVALID':
    case 'LAB_EXISTS':
    case 'LAB_NOT_FOUND':
      return 2;
    case 'RECIPE_INVALID':
      return 3;
    case 'INTERRUPTED':
      return 130;
    case 'LOCKED':
    case 'SUPERSEDED':
      return 8;
    default:
      return 4;
  }
}
