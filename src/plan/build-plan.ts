import { type Finding, toDiagnostics, type ValidRecipe } from '../recipe/finding.ts';
import { overlapFindings } from '../recipe/overlap-findings.ts';
import { RecipeError } from '../recipe/recipe-error.ts';
import type { Recipe } from '../recipe/recipe.generated.ts';
import { ms, StepBuilder } from './build-steps.ts';
import { type AnyStep, commitIndex } from '../recipe/walk-steps.ts';
import { digestOf } from './digest.ts';
import type { ResolvedInputs } from './inputs.ts';
import type { CommandStep, NetworkPlan, Plan, PlanStep, WorkloadSelector } from './plan.ts';
import { RecipeRenderer } from './render-recipe.ts';

/**
 * Turns a recipe and its inputs into a plan. Pure: the same recipe and inputs give the same plan and digest.
 * @throws RecipeError when a template yields what its place cannot take
 */
export function buildPlan(recipe: ValidRecipe, inputs: ResolvedInputs): Plan {
  const renderer = new RecipeRenderer(recipe, inputs);
  const builder = new StepBuilder(renderer, recipe.data.retries);
  const { steps: rawSteps, always: rawAlways = [], rollback: rawRollback, ...rest } = recipe.data;
  const data = renderer.render(rest, []) as Omit<Recipe, 'steps' | 'always' | 'rollback'>;
  const steps = buildSteps(builder, rawSteps);
  const always = builder.build(rawAlways, ['always'], { prefix: 'always.' }) as CommandStep[];
  const rollback = builder.commands(rawRollback, ['rollback']);
  refuse(recipe, renderer.findings.length > 0 ? renderer.findings : overlapFindings(data));
  const downtime = data.objectives?.downtime;
  const plan: Omit<Plan, 'digest'> = {
    version: 1,
    name: data.name,
    file: recipe.source.name,
    source: data.hosts.source,
    destination: data.hosts.destination,
    workload: workloadOf(data.workload.process),
    network: networkOf(data.network),
    files: (data.files ?? []).map(({ path }) => ({ path })),
    objectives: downtime === undefined ? {} : { downtimeMs: ms(downtime) },
    steps,
    rollback,
    always,
    inputs: Object.fromEntries(inputs.values),
    secrets: inputs.secrets,
  };
  return { ...plan, digest: digestOf(plan) };
}

function refuse(recipe: ValidRecipe, findings: readonly Finding[]): void {
  const [first, ...others] = toDiagnostics(recipe, findings);
  if (first) throw new RecipeError('RECIPE_INVALID', [first, ...others]);
}

function workloadOf(process: Recipe['workload']['process']): WorkloadSelector {
  if (process.pid !== undefined) return { kind: 'pid', pid: Number(process.pid) };
  if (process.pidFile !== undefined) return { kind: 'pid-file', path: process.pidFile };
  if (process.unit !== undefined) return { kind: 'unit', unit: process.unit };
  if (process.executable === undefined) throw new Error('the schema lets no other workload through');
  const { executable: path, arguments: args } = process;
  return { kind: 'executable', path, ...(args === undefined ? {} : { arguments: args.map(String) }) };
}

function networkOf(network: Recipe['network']): NetworkPlan {
  const address = network?.address;
  return {
    connections: network?.connections ?? 'refuse',
    ...(address ? { address: { cidr: address.cidr, device: address.device ?? 'eth0' } } : {}),
  };
}

/** `commit` follows `restore` at once unless the recipe says where it stands. */
function buildSteps(builder: StepBuilder, steps: readonly AnyStep[]): PlanStep[] {
  if (steps.some(({ uses }) => uses === 'commit')) return builder.build(steps, ['steps']);
  const after = 1 + commitIndex(steps);
  return [
    ...builder.build(steps.slice(0, after), ['steps']),
    ...builder.build([{ uses: 'commit' }], ['steps'], { from: 1 + after, offset: after }),
    ...builder.build(steps.slice(after), ['steps'], { from: 2 + after, offset: after }),
  ];
}
