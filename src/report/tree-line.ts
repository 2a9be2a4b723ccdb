/** The part of listr2's task that a line writes to. */
export interface LineTask {
  title: string;
  output: string;
  skip(): void;
}

type Verdict =
  | { readonly kind: 'done'; readonly title: string }
  | { readonly kind: 'failed'; readonly title: string; readonly message: string }
  | { readonly kind: 'not-run' };

/**
 * One line of the tree. The events say what becomes of it, at any time; listr2 comes by when it is the line's turn and
 * waits. Neither has to be first.
 */
export class TreeLine {
  readonly title: string;
  #task: LineTask | undefined;
  #detail = '';
  #isSettled = false;
  #settle: (verdict: Verdict) => void = () => undefined;
  readonly #verdict: Promise<Verdict>;

  constructor(title: string) {
    this.title = title;
    this.#verdict = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** What goes on, shown under the line. */
  detail(text: string): void {
    this.#detail = text;
    if (this.#task && !this.#isSettled) this.#task.output = text;
  }

  /** The first verdict stays. */
  settle(verdict: Verdict): void {
    this.#isSettled = true;
    this.#settle(verdict);
  }

  /** What listr2 calls. Its rejection only colours the line: the list goes on, and nobody reads its outcome. */
  async run(task: LineTask): Promise<void> {
    this.#task = task;
    if (this.#detail !== '' && !this.#isSettled) task.output = this.#detail;
    const verdict = await this.#verdict;
    switch (verdict.kind) {
      case 'done':
        task.title = verdict.title;
        return;
      case 'failed':
        task.title = verdict.title;
        throw new Error(verdict.message);
      case 'not-run':
        task.skip();
    }
  }
}
