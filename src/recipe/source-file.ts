/** What a file is, as messages call it: "the recipe". */
export type SourceNoun = 'recipe' | 'inventory' | 'file of inputs';

/** The text of a recipe, or of a file beside it, and where its offsets are. Lines and columns count from 1, columns in UTF-16 units. */
export class SourceFile {
  /** The file as the user named it. */
  readonly name: string;
  readonly text: string;
  readonly noun: SourceNoun;
  readonly #lineStarts: readonly number[];

  constructor(name: string, text: string, noun: SourceNoun = 'recipe') {
    this.name = name;
    this.noun = noun;
    this.text = text;
    const starts = [0];
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
    this.#lineStarts = starts;
  }

  /** The position of an offset; an offset past the end is the end. */
  positionAt(offset: number): { readonly line: number; readonly column: number } {
    const clamped = Math.max(0, Math.min(offset, this.text.length));
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#lineStarts[middle] ?? 0) <= clamped) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: clamped - (this.#lineStarts[low] ?? 0) + 1 };
  }

  /** The text of a line without its end; empty when there is no such line. */
  lineText(line: number): string {
    const start = this.#lineStarts[line - 1];
    if (start === undefined) return '';
    return this.text.slice(start, this.#lineStarts[line] ?? this.text.length).replace(/\r?\n$/, '');
  }
}
