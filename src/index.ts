/**
 * criu-flow as a library: load a recipe, run it, watch its events, build labs.
 *
 * ```ts
 * const plan = await loadPlan({ recipe: 'process-rsync', inputs: ['source=root@a', 'destination=root@b', 'pid=4711'], cwd: '.' });
 * const summary = await runPlan(plan, { emit: (event) => console.log(event.kind), signal: AbortSignal.timeout(60_000) });
 * ```
 *
 * @module
 */
export { runPlan, type RunPlanOptions } from './engine/run-plan.ts';
export { runSequence, type RunSequenceOptions, type RunWatch } from './engine/run-sequence.ts';
export {
  FlowError,
  type ErrorCode,
  type FlowErrorDetails,
  type SourceLocation,
} from './errors/flow-error.ts';
export type * from './events/event.ts';
export type * from './events/plan-check.ts';
export type * from './events/sequence-event.ts';
export {
  labDown,
  labKillHost,
  labStartHost,
  labStatus,
  labUp,
  listLabs,
  type Lab,
  type LabHost,
  type LabUpOptions,
} from './lab/lab.ts';
export { loadAnyPlan, loadPlan, validateRecipe, type LoadPlanOptions } from './plan/load-plan.ts';
export type * from './plan/plan.ts';
export { formatDiagnostic, formatDiagnostics, type Diagnostic } from './recipe/diagnostic.ts';
export { RecipeError } from './recipe/recipe-error.ts';
export { createReporter } from './report/create-reporter.ts';
export type { Reporter, ReporterKind, ReporterOptions, ReportStream } from './report/reporter.ts';
export { version } from './package/version.ts';
