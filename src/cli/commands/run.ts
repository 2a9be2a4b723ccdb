import type { FlowEvent } from '../../events/event.ts';
import type { ReporterKind } from '../../report/reporter.ts';
import { type PlanInputs, planOf } from '../plan-of.ts';
import { configFile } from '../ssh-config-file.ts';

export interface RunCommandOptions extends PlanInputs {
  readonly lab?: string | undefined;
  readonly sshConfig?: string | undefined;
  readonly reporter?: ReporterKind | undefined;
  readonly keepImages?: true | undefined;
}

/** `criu-flow run`. @returns the exit code; docs/exit-codes.md is the table */
export async function runCommand(recipe: string, options: RunCommandOptions): Promise<number> {
  const plan = await planOf(recipe, options);
  const sshConfigFile = await configFile(options);
  const [{ runPlan }, { chooseReporter, createReporter }, { wantsColor }, { abortOnSignals }, { Standing }] =
    await Promise.all([
      import('../../engine/run-plan.ts'),
      import('../../report/create-reporter.ts'),
      import('../../report/format.ts'),
      import('../signals.ts'),
      import('../standing.ts'),
    ]);
  const reporter = await createReporter({
    kind: options.reporter ?? chooseReporter(process.env, process.stdout),
    stream: process.stdout,
    errorStream: process.stderr,
    color: wantsColor(process.env, process.stdout),
  });
  const standing = new Standing();
  const { signal, stop } = abortOnSignals((text) => reporter.tell(text), standing);
  const emit = (event: FlowEvent): void => {
    standing.onEvent(event);
    reporter.onEvent(event);
  };
  try {
    const summary = await runPlan(plan, {
      emit,
      signal,
      sshConfigFile,
      keepImages: options.keepImages,
    });
    return summary.exitCode;
  } finally {
    await reporter.finish();
    stop();
  }
}
