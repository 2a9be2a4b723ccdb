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
    const steps = slips(word.toLowerCase(), candidate.toLowerCase());
    const limit = Math.floor(Math.max(word.length, candidate.length) / 3);
    if (steps <= limit && steps < bestDistance) {
      best = candidate;
      bestDistance = steps;
    }
  }
  return best;
}

/** Edit distance, but two neighbours in each other's place are one slip of the finger, not two. */
function slips(word: string, candidate: string): number {
  const steps = distance(word, candidate);
  return steps === 2 && sortedLetters(word) === sortedLetters(candidate) ? 1 : steps;
}

function sortedLetters(word: string): string {
  return word.split('').toSorted().join('');
}

/**
 * A hint for a word that is not known: the one that was probably meant, else all there are.
 * @param noun what the words are, in the plural
 */
export function didYouMean(word: string, known: readonly string[], noun: string): string {
  const meant = suggest(word, known);
  if (meant !== undefined) return `Did you mean ${code(meant)}?`;
  if (known.length === 0) return `There are no ${noun}.`;
  const more = known.length > MAX_LISTED ? `, and ${known.length - MAX_LISTED} more` : '';
  return `The ${noun} are ${known.slice(0, MAX_LISTED).map(code).join(', ')}${more}.`;
}

/** Words that a hint lists. */
const MAX_LISTED = 12;

/** Longer words are never a slip of the finger; edit distance is quadratic. */
const MAX_WORD = 64;
