import type { Path } from './path.ts';
import type { SourceFile } from './source-file.ts';

export type Range = readonly [start: number, end: number];

/** A part of a file. */
export interface Place {
  readonly source: SourceFile;
  readonly range: Range;
}

/** Where a value is, and all that is in it. */
export interface Located {
  readonly source: SourceFile;
  readonly key?: Range | undefined;
  readonly value: Range;
  /** By key or index. A long text for the path of each value would be much for thousands of steps. */
  readonly children?: Map<string | number, Located> | undefined;
}

/** Where the keys and values of a parsed recipe are: in its text, or in that of a recipe which it extends. */
export class Locations {
  readonly #root: Located;

  constructor(root: Located) {
    this.#root = root;
  }

  /** Makes the place of a key, and of all that is in it, that which it has in another recipe, where the mapping is too. */
  adopt(mapping: Path, key: string, other: Locations): void {
    const located = other.#nearest(mapping).children?.get(key);
    if (located) this.#nearest(mapping).children?.set(key, located);
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
    let nearest = this.#root;
    for (const part of path) {
      const child = nearest.children?.get(part);
      if (!child) break;
      nearest = child;
    }
    return nearest;
  }
}
