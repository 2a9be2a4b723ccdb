import { pathKey, type Path } from './path.ts';

export type Range = readonly [start: number, end: number];

interface Located {
  readonly key?: Range;
  readonly value: Range;
}

/** Where the keys and values of a parsed recipe are in its text. */
export class Locations {
  readonly #entries = new Map<string, Located>();

  set(path: Path, located: Located): void {
    this.#entries.set(pathKey(path), located);
  }

  /** The text of a key; of the list item or the value when it has no key. */
  ofKey(path: Path): Range {
    const located = this.#nearest(path);
    return located.key ?? [located.value[0], located.value[0] + 1];
  }

  /** The text of a value; of its key when the value is left out. */
  ofValue(path: Path): Range {
    const located = this.#nearest(path);
    const [start, end] = located.value;
    return start === end && located.key !== undefined ? located.key : located.value;
  }

  /** A value that is not in the text stands for the mapping that should have it. */
  #nearest(path: Path): Located {
    for (let length = path.length; length >= 0; length--) {
      const located = this.#entries.get(pathKey(path.slice(0, length)));
      if (located !== undefined) return located;
    }
    return { value: [0, 0] };
  }
}
