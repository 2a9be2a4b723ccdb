import {
  DefaultRenderer,
  Listr,
  ListrDefaultRendererLogLevels,
  ListrLogger,
  ProcessOutput,
  type ListrTask,
} from 'listr2';
import type { Paint, Tint } from './format.ts';
import type { TreeLine } from './tree-line.ts';

export interface TreeListOptions {
  readonly stream: NodeJS.WriteStream;
  readonly paint: Paint;
  /** Shown under the list for as long as it is shown; may grow. */
  readonly notices: readonly string[];
  /** Makes the lines children of one line. */
  readonly heading?: string;
}

/**
 * Shows lines, one after the other, until each is settled. Traps of listr2 9.0.5 that the options answer: its own
 * signal listeners exit the process with 127 in the middle of a run; a nested list inherits `concurrent` from its
 * parent; with `exitOnError` the lines after a failure would be left without an end.
 */
export async function showList(lines: readonly TreeLine[], options: TreeListOptions): Promise<void> {
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
  const list = new Listr(tasks, {
    ...order,
    collectErrors: false,
    registerSignalListeners: false,
    renderer: rendererWith(options.notices),
    rendererOptions: {
      collapseErrors: false,
      collapseSubtasks: false,
      // Lines of constant height: a wrapped line makes the redraw flicker and can fill a narrow terminal.
      formatOutput: 'truncate',
      color: colors(options.paint),
      logger: new ListrLogger<ListrDefaultRendererLogLevels>({
        processOutput: new ProcessOutput(options.stream),
      }),
    },
  });
  await list.run();
}

/** listr2 has no place for a line that belongs to no task and stays: this renderer adds it. */
function rendererWith(notices: readonly string[]): typeof DefaultRenderer {
  return class extends DefaultRenderer {
    /** Whether the stream can show a tree was decided before; listr2 would look at process.stdout. */
    static override nonTTY = true;

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
