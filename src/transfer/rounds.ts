/** Where in the images' directory a round's own images are, from 1 on. */
export function roundName(number: number): string {
  return `round-${number}`;
}

/** All of them, as a pattern of the shell, of find(1) and of rsync(1). */
export const ROUNDS = 'round-*';

/** A link to the last one: the dump in the pause has it for its parent, and is told so before there is any. */
export const LAST_ROUND = 'last-round';
