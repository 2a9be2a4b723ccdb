import { FlowError } from '../errors/flow-error.ts';
import { isPostCopied, isStreamed, type Plan } from '../plan/plan.ts';
import type { ReporterKind } from '../report/reporter.ts';
import type { PlanInputs } from './plan-of.ts';

/** How a recipe is run, as a command line says. */
export interface RunCommandOptions extends PlanInputs {
  readonly lab?: string | undefined;
  readonly sshConfig?: string | undefined;
  readonly reporter?: ReporterKind | undefined;
  readonly keepImages?: true | undefined;
}

/**
 * With a memory that is streamed, or fetched from the frozen copy, the source has nothing worth to keep: it would look as if it had.
 * @throws FlowError USAGE
 */
export function requireImagesToKeep(plans: readonly Plan[], { keepImages }: RunCommandOptions): void {
  if (keepImages !== true) return;
  const keep = (plan: Plan, does: string, instead: string): FlowError =>
    new FlowError('USAGE', `--keep-images keeps the images on the source, and “${plan.name}” ${does}`, {
      hint: `Leave the option out, or use ${instead}.`,
    });
  const streamed = plans.find(isStreamed);
  if (streamed) throw keep(streamed, 'streams the memory past it', '`transfer/rsync`');
  const fetched = plans.find(isPostCopied);
  if (fetched) throw keep(fetched, 'has most of its memory in none', 'another `strategy`');
}
