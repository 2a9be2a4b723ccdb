import { distance } from 'fastest-levenshtein';
import { code } from './printable.ts';

/**
 * The known word that was probably meant: the nearest one, at most a third of its letters away, case ignored.
 * @returns undefined when nothing is near.
 */
export function suggest(word: string, known: readonly string[]): string | undefined {
  if (word.length > MAX_WORD) return undefined;
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const candidate of known) {
    const steps = distance(word.toLowerCase(), candidate.toLowerCase());
    const limit = Math.max(1, Math.floor(Math.max(word.length, candidate.length) / 3));
    if (steps <= limit && steps < bestDistance) {
      best = candidate;
      bestDistance = steps;
    }
  }
  return best;
}

/**
 * A hint for a word that is not known: the one that was probably meant, else all there are.
 * @param noun what the words are, in the plural
 */
export function didYouMean(word: string, known: readonly string[], noun: string): string {
  const meant = suggest(word, known);
  if (meant !== undefined) return `Did you mean ${code(meant)}?`;
  return known.length === 0 ? `There are no ${noun}.` : `The ${noun} are ${known.map(code).join(', ')}.`;
}

/** Longer words are never a slip of the finger; edit distance is quadratic. */
const MAX_WORD = 64;
