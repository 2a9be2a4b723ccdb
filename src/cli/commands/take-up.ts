import type { FlowEvent } from '../../events/event.ts';
import type { ReporterKind } from '../../report/reporter.ts';
import { configFile } from '../ssh-config-file.ts';

export interface TakeUpCommandOptions {
  readonly lab?: string | undefined;
  readonly sshConfig?: string | undefined;
  readonly reporter?: ReporterKind | undefined;
  readonly takeOver?: true | undefined;
  readonly force?: true | undefined;
  readonly sourceIsGone?: true | undefined;
}

/** `criu-flow resume` and `criu-flow rollback`. @returns the exit code; docs/exit-codes.md is the table */
export async function takeUpCommand(
  goal: 'resume' | 'rollback',
  name: string,
  options: TakeUpCommandOptions,
): Promise<number> {
  const [
    { readRun },
    { findRun },
    { resumeRun, rollBackRun },
    { chooseReporter, createReporter },
    { wantsColor },
    { abortOnSignals },
    { Standing },
  ] = await Promise.all([
    import('../../store/read-run.ts'),
    import('../../store/list-runs.ts'),
    import('../../engine/take-up.ts'),
    import('../../report/create-reporter.ts'),
    import('../../report/format.ts'),
    import('../signals.ts'),
    import('../standing.ts'),
  ]);
  const run = readRun(findRun(name));
  const sshConfigFile = await configFile(options);
  const reporter = await createReporter({
    kind: options.reporter ?? chooseReporter(process.env, process.stdout),
    stream: process.stdout,
    errorStream: process.stderr,
    color: wantsColor(process.env, process.stdout),
  });
  const standing = new Standing({ isTakenUp: true });
  const { signal, stop } = abortOnSignals((text) => reporter.tell(text), standing);
  const emit = (event: FlowEvent): void => {
    standing.onEvent(event);
    reporter.onEvent(event);
  };
  try {
    const takeUp = goal === 'resume' ? resumeRun : rollBackRun;
    const { takeOver, force, sourceIsGone } = options;
    const summary = await takeUp(run, { emit, signal, sshConfigFile, takeOver, force, sourceIsGone });
    if (!summary) {
      process.stdout.write(`Run ${run.runId} has come to its end: there is nothing to do.\n`);
      return 0;
    }
    // Rolled back is what was asked for.
    return goal === 'rollback' && summary.outcome === 'rolled-back' ? 0 : summary.exitCode;
  } finally {
    await reporter.finish();
    stop();
  }
}
