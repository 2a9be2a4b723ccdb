import type { ReporterKind } from '../report/reporter.ts';
import type { PlanInputs } from './plan-of.ts';

/** How a recipe is run, as a command line says. */
export interface RunCommandOptions extends PlanInputs {
  readonly lab?: string | undefined;
  readonly sshConfig?: string | undefined;
  readonly reporter?: ReporterKind | undefined;
  readonly keepImages?: true | undefined;
}
