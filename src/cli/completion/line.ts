/** What the last word of a line may be. */
export interface Candidate {
  readonly value: string;
  readonly description: string;
}

/** What stands on the line. */
export interface Line {
  /** The arguments of the command that are whole. */
  readonly args: readonly string[];
  /** The values of its options, by their long names without dashes, in their order. */
  readonly options: ReadonlyMap<string, readonly string[]>;
  /** What is begun of the word, or of the value of the option. */
  readonly word: string;
}
