/** One thing that would make the run fail. */
export interface Finding {
  /** The host it was found on. */
  readonly host: string;
  /** What is wrong, with both values where two differ, in one sentence without a full stop. */
  readonly message: string;
  /** What to do about it. */
  readonly remedy: string;
  /** A command to paste into a shell of this machine. */
  readonly command?: string;
}
