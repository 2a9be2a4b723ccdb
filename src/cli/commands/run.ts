import type { FlowEvent } from '../../events/event.ts';
import type { Plan } from '../../plan/plan.ts';
import { planOf } from '../plan-of.ts';
import { requireImagesToKeep, type RunCommandOptions } from '../run-options.ts';
import { configFile } from '../ssh-config-file.ts';

/** `criu-flow run`. @returns the exit code; docs/exit-codes.md is the table */
export async function runCommand(recipe: string, options: RunCommandOptions): Promise<number> {
  const { plan, answers } = await planOf(recipe, options);
  if (plan.kind !== 'sequence') return runOne(plan, options);
  const { runSequenceCommand } = await import('./run-sequence.ts');
  return runSequenceCommand(recipe, plan, { ...options, inputs: [...options.inputs, ...answers] });
}

async function runOne(plan: Plan, options: RunCommandOptions): Promise<number> {
  const sshConfigFile = await configFile(options);
  const [{ runPlan }, { chooseReporter, createReporter }, { wantsColor }, { abortOnSignals }, { Standing }] =
    await Promise.all([
      import('../../engine/run-plan.ts'),
      import('../../report/create-reporter.ts'),
      import('../../report/format.ts'),
      import('../signals.ts'),
      import('../standing.ts'),
    ]);
  requireImagesToKeep([plan], options);
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
