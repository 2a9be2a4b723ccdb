import {
  ANSI_ESCAPE_CODES,
  DefaultRenderer,
  Listr,
  ListrDefaultRendererLogLevels,
  ListrEventType,
  ListrLogger,
  ProcessOutput,
  type ListrTask,
} from 'listr2';
import type { Paint, Tint } from './format.ts';
import type { TreeLine } from './tree-line.ts';

export interface TreeListOptions {
  readonly stream: NodeJS.WriteStream;
  readonly paint: Paint;
  /** Shown under the list from the beginning. */
  readonly notices: readonly string[];
  /** Makes the lines children of one line. */
  readonly heading?: string;
}

/** Lines that are redrawn in place, one list at a time on a terminal. */
export interface TreeList {
  /** Draws until every line is settled. */
  run(): Promise<void>;
  /** Adds something under the list, for as long as it is shown, and draws it now. */
  note(text: string): void;
}

/**
 * Shows lines, one after the other, until each is settled. Traps of listr2 9.0.5 that the options answer: its own
 * signal listeners exit the process with 127 in the middle of a run; a nested list inherits `concurrent` from its
 * parent; with `exitOnError` the lines after a failure would be left without an end.
 */
export function createTreeList(lines: readonly TreeLine[], options: TreeListOptions): TreeList {
  const order = { concurrent: false, exitOnError: false } as const;
  const children: ListrTask[] = lines.map((line) => ({
    title: line.title,
    task: async (_, task) => line.run(task),
  }));
  const { heading } = options;
  const tasks: ListrTask[] =
    heading === undefined
      ? children
      : [{ title: heading, task: (_, task) => task.newListr(children, { ...order, collectErrors: false }) }];
  const notices = [...options.notices];
  const processOutput = new ProcessOutput(options.stream);
  const list = new Listr(tasks, {
    ...order,
    collectErrors: false,
    registerSignalListeners: false,
    renderer: rendererWith(notices),
    rendererOptions: {
      collapseErrors: false,
      collapseSubtasks: false,
      // Lines of constant height: a wrapped line makes the redraw flicker and can fill a narrow terminal.
      formatOutput: 'truncate',
      color: colors(options.paint),
      logger: new ListrLogger<ListrDefaultRendererLogLevels>({ processOutput }),
    },
  });
  // Who leaves at once gets the cursor back. While a list is drawn, listr2 keeps what others write to the stream.
  const showCursor = (): void => void processOutput.toStdout(ANSI_ESCAPE_CODES.CURSOR_SHOW, false);
  return {
    async run() {
      process.once('exit', showCursor);
      try {
        await list.run();
      } finally {
        process.off('exit', showCursor);
      }
    },
    note(text) {
      notices.push(text);
      list.events.emit(ListrEventType.SHOULD_REFRESH_RENDER);
    },
  };
}

/** listr2 has no place for a line that belongs to no task and stays: this renderer adds it. */
function rendererWith(notices: readonly string[]): typeof DefaultRenderer {
  return class extends DefaultRenderer {
    /** Whether the stream can show a tree was decided before; listr2 would look at process.stdout. */
    static override nonTTY = true;
    #isOver = false;

    /** A note that comes in the moment after the last drawing would draw the list a second time. */
    override update(): void {
      if (!this.#isOver) super.update();
    }

    override end(): void {
      this.#isOver = true;
      super.end();
    }

    override create(options?: Parameters<DefaultRenderer['create']>[0]): string {
      return [super.create(options), ...notices].join('\n');
    }
  };
}

const TINTS: Partial<Record<ListrDefaultRendererLogLevels, Tint>> = {
  [ListrDefaultRendererLogLevels.PENDING]: 'warning',
  [ListrDefaultRendererLogLevels.COMPLETED]: 'good',
  [ListrDefaultRendererLogLevels.COMPLETED_WITH_FAILED_SUBTASKS]: 'bad',
  [ListrDefaultRendererLogLevels.FAILED]: 'bad',
  [ListrDefaultRendererLogLevels.FAILED_WITH_FAILED_SUBTASKS]: 'bad',
  [ListrDefaultRendererLogLevels.SKIPPED_WITH_COLLAPSE]: 'faint',
  [ListrDefaultRendererLogLevels.WAITING]: 'faint',
};

/** Every level is given, or listr2 would colour the rest by its own idea of the terminal. */
function colors(paint: Paint): Partial<Record<ListrDefaultRendererLogLevels, (text?: string) => string>> {
  return Object.fromEntries(
    Object.values(ListrDefaultRendererLogLevels).map((level) => {
      const tint = TINTS[level];
      return [level, (text = '') => (tint === undefined ? text : paint(tint, text))];
    }),
  );
}
