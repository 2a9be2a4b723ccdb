import { resolve } from 'node:path';
import { runSequence } from '../../engine/run-sequence.ts';
import { quoteArguments } from '../../host/quote.ts';
import type { SequencePlan } from '../../plan/plan.ts';
import { chooseReporter, createReporter } from '../../report/create-reporter.ts';
import { wantsColor } from '../../report/format.ts';
import type { Reporter, ReporterOptions } from '../../report/reporter.ts';
import { createSequenceReporter } from '../../report/sequence-reporter.ts';
import { abortOnSignals } from '../signals.ts';
import { configFile } from '../ssh-config-file.ts';
import { Standing } from '../standing.ts';
import { requireImagesToKeep, type RunCommandOptions } from '../run-options.ts';

/**
 * `criu-flow run` of a sequence.
 * @param options with the inputs that a person was asked for
 * @returns the exit code of the run at which it stopped; docs/exit-codes.md is the table
 */
export async function runSequenceCommand(
  recipe: string,
  plan: SequencePlan,
  options: RunCommandOptions,
): Promise<number> {
  const { from, keepImages } = options;
  requireImagesToKeep(
    plan.runs.map((run) => run.plan),
    options,
  );
  const sshConfigFile = await configFile(options);
  const reporterOptions: ReporterOptions = {
    kind: options.reporter ?? chooseReporter(process.env, process.stdout),
    stream: process.stdout,
    errorStream: process.stderr,
    color: wantsColor(process.env, process.stdout),
  };
  /** Of the run at work, and which that is, or was. */
  let reporter: Reporter | undefined;
  let standing: Standing | undefined;
  let number = 0;
  const tell = (text: string): void => {
    if (reporter) reporter.tell(text);
    else process.stderr.write(`criu-flow: ${text}\n`);
  };
  const describe = (): string => {
    if (number === 0) return 'Nothing was touched.';
    const name = `Run ${number} of ${plan.runs.length}`;
    return standing
      ? `${name} was at work. ${standing.describe()}\nThose before it have ended, and none after it was begun.`
      : `${name} and those before it have ended, and none after it was begun.`;
  };
  const { signal, stop } = abortOnSignals(tell, { describe });
  const report = createSequenceReporter(reporterOptions);
  try {
    const { exitCode } = await runSequence(plan, {
      ...{ from, keepImages, sshConfigFile, signal },
      onEvent(event) {
        if (event.kind === 'sequence-run-started') ({ number } = event);
        report(event);
      },
      async watchRun() {
        const own = await createReporter(reporterOptions);
        const stands = new Standing();
        [reporter, standing] = [own, stands];
        return {
          emit(event) {
            stands.onEvent(event);
            own.onEvent(event);
          },
          async finish() {
            await own.finish();
            [reporter, standing] = [undefined, undefined];
          },
        };
      },
      commandFrom: (first) => quoteArguments([...commandOf(recipe, options), '--from', String(first)]),
    });
    return exitCode;
  } finally {
    stop();
  }
}

/** The command that runs it again, whatever directory it is pasted in. */
function commandOf(recipe: string, options: RunCommandOptions): readonly string[] {
  const { inputs, inputFiles, inventory, lab, sshConfig, reporter, keepImages } = options;
  const isFile = recipe.includes('/') || /\.ya?ml$/.test(recipe);
  return [
    ...['criu-flow', 'run', isFile ? resolve(recipe) : recipe],
    ...inputs.flatMap((input) => ['-i', input]),
    ...inputFiles.flatMap((file) => ['--inputs', resolve(file)]),
    ...(inventory === undefined ? [] : ['--inventory', resolve(inventory)]),
    ...(lab === undefined ? [] : ['--lab', lab]),
    ...(sshConfig === undefined
      ? []
      : ['--ssh-config', sshConfig === 'none' ? sshConfig : resolve(sshConfig)]),
    ...(reporter === undefined ? [] : ['--reporter', reporter]),
    ...(keepImages === true ? ['--keep-images'] : []),
  ];
}
