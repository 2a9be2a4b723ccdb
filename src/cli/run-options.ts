import { FlowError } from '../errors/flow-error.ts';
import { isStreamed, type Plan } from '../plan/plan.ts';
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
 * With a memory that is streamed the source has nothing worth to keep: it would look as if it had.
 * @throws FlowError USAGE
 */
export function requireImagesToKeep(plans: readonly Plan[], { keepImages }: RunCommandOptions): void {
  const streamed = keepImages === true ? plans.find(isStreamed) : undefined;
  if (!streamed) return;
  throw new FlowError(
    'USAGE',
    `--keep-images keeps the images on the source, and “${streamed.name}” streams the memory past it`,
    {
      hint: 'Leave the option out, or use `transfer/rsync`.',
    },
  );
}
