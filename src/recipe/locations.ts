import type { Path } from './path.ts';
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

/** As the data is: a recipe of thousands of steps would have a long text for each of its values otherwise. */
interface Branch {
  located?: Located;
  children?: Map<string | number, Branch>;
}

/** Where the keys and values of a parsed recipe are: in its text, or in that of a recipe which it extends. */
export class Locations {
  readonly #source: SourceFile;
  readonly #root: Branch = {};

  /** @param source the recipe's own file, for what is nowhere */
  constructor(source: SourceFile) {
    this.#source = source;
  }

  set(path: Path, located: Omit<Located, 'source'>): void {
    this.#branch(path).located = { ...located, source: this.#source };
  }

  /** Makes the place of a value, and of all that is in it, that which it has elsewhere. */
  adopt(path: Path, other: Locations): void {
    let there: Branch | undefined = other.#root;
    for (const part of path) there = there?.children?.get(part);
    if (there) Object.assign(this.#branch(path), there);
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

  #branch(path: Path): Branch {
    let branch = this.#root;
    for (const part of path) {
      branch.children ??= new Map();
      let child = branch.children.get(part);
      if (!child) branch.children.set(part, (child = {}));
      branch = child;
    }
    return branch;
  }

  /** A value that is not in the text stands for the mapping that should have it. */
  #nearest(path: Path): Located {
    let nearest = this.#root.located;
    let branch: Branch | undefined = this.#root;
    for (const part of path) {
      branch = branch?.children?.get(part);
      nearest = branch?.located ?? nearest;
    }
    return nearest ?? { value: [0, 0], source: this.#source };
  }
}
