import { pathKey, type Path } from './path.ts';
import type { SourceFile } from './source-file.ts';

export type Range = readonly [start: number, end: number];

/** A part of a file. */
export interface Place {
  readonly source: SourceFile;
  readonly range: Range;
}

interface Located {
  readonly key?: Range;
  readonly value: Range;
  readonly source: SourceFile;
}

/** Where the keys and values of a parsed recipe are: in its text, or in that of a recipe which it extends. */
export class Locations {
  readonly #source: SourceFile;
  readonly #entries = new Map<string, Located>();

  /** @param source the recipe's own file, for what is nowhere */
  constructor(source: SourceFile) {
    this.#source = source;
  }

  set(path: Path, located: Omit<Located, 'source'>): void {
    this.#entries.set(pathKey(path), { ...located, source: this.#source });
  }

  /** Makes the place of a value, and of all that is in it, that which it has elsewhere. */
  adopt(path: Path, data: unknown, other: Locations): void {
    const located = other.#entries.get(pathKey(path));
    if (located) this.#entries.set(pathKey(path), located);
    if (typeof data !== 'object' || data === null) return;
    const isList = Array.isArray(data);
    for (const [key, each] of Object.entries(data))
      this.adopt([...path, isList ? Number(key) : key], each, other);
  }

  /** The text of a key; of the list item or the value when it has no key. */
  ofKey(path: Path): Place {
    const { key, value, source } = this.#nearest(path);
    return { source, range: key ?? [value[0], value[0] + 1] };
  }

  /** The text of a value; of its key when the value is left out. */
  ofValue(path: Path): Place {
    const { key, value, source } = this.#nearest(path);
    const [start, end] = value;
    return { source, range: start === end && key !== undefined ? key : value };
  }

  /** A value that is not in the text stands for the mapping that should have it. */
  #nearest(path: Path): Located {
    for (let length = path.length; length >= 0; length--) {
      const located = this.#entries.get(pathKey(path.slice(0, length)));
      if (located !== undefined) return located;
    }
    return { value: [0, 0], source: this.#source };
  }
}
