import { isLiteral } from '../recipe/inventory-findings.ts';
import type { Inventory } from '../recipe/inventory.ts';
import { type Finding, type RunRecipe, toDiagnostics, type ValidRecipe } from '../recipe/finding.ts';
import { kindOf, type RecipeKind } from '../recipe/kind-findings.ts';
import { overlapFindings } from '../recipe/overlap-findings.ts';
import { RecipeError } from '../recipe/recipe-error.ts';
import type { CheckOrProbe, Recipe, Watch as RecipeWatch } from '../recipe/recipe.generated.ts';
import { ms, StepBuilder } from './build-steps.ts';
import { orderSteps } from '../recipe/walk-steps.ts';
import { digestOf } from './digest.ts';
import type { ResolvedInputs } from './inputs.ts';
import type { CommandStep, NetworkPlan, Plan, PlanStep, WatchPlan, WorkloadSelector } from './plan.ts';
import { RecipeRenderer } from './render-recipe.ts';

/**
 * Turns a recipe and its inputs into a plan. Pure: the same recipe and inputs give the same plan and digest.
 * @param inventory of which the hosts are that stand in the recipe itself
 * @throws RecipeError when a template yields what its place cannot take
 */
export function buildPlan(
  recipe: ValidRecipe | RunRecipe,
  inputs: ResolvedInputs,
  inventory?: Inventory,
): Plan {
  const renderer = new RecipeRenderer(recipe.data, inputs);
  const { steps: _, hooks: __, always: ___, rollback: rawRollback, ...rest } = recipe.data;
  const data = renderer.render(rest, []) as Omit<Recipe, 'steps' | 'hooks' | 'always' | 'rollback'>;
  const ordered = orderSteps(recipe.data);
  const dump = recipe.data.steps.find((step) => step.uses === 'dump');
  const isUndecided = dump?.with?.strategy === 'auto';
  // Of one that may be, the words are those of any other.
  const isPostCopied = !isUndecided && ordered.some(({ step }) => step.uses === 'post-copy');
  const builder = new StepBuilder(renderer, data, recipe.used, kindOf(recipe.data), isPostCopied);
  const steps = ordered.filter(({ stage }) => stage !== 'end').flatMap((top) => builder.build(top));
  const always = ordered.filter(({ stage }) => stage === 'end').flatMap((top) => builder.build(top));
  const rollback = builder.commands(rawRollback, ['rollback']);
  refuse(recipe, renderer.findings.length > 0 ? renderer.findings : overlapFindings(data));
  const downtime = data.objectives?.downtime;
  const plan: Omit<Plan, 'digest'> = {
    version: 1,
    kind: kindOf(recipe.data),
    name: data.name,
    file: recipe.source.name,
    ...hostsOf(data.hosts, (role) => sshOf(recipe.data.hosts[role], inventory)),
    workload: workloadOf(data.workload),
    network: networkOf(data.network, kindOf(recipe.data)),
    files: (data.files ?? []).map(({ path }) => ({ path })),
    objectives: downtime === undefined ? {} : { downtimeMs: ms(downtime) },
    steps: withChecks(steps, data.checks, builder),
    ...(isUndecided && { strategy: 'auto' }),
    rollback,
    onFailure: data.onFailure ?? 'keep',
    always: always as CommandStep[],
    watches: (data.checks?.during ?? []).map((each) => toWatch(each, builder)),
    inputs: Object.fromEntries([...inputs.values, ...builder.usedInputs.values]),
    secrets: { ...inputs.secrets, ...builder.usedInputs.secrets },
  };
  return { ...plan, digest: digestOf(plan) };
}

function refuse(recipe: ValidRecipe | RunRecipe, findings: readonly Finding[]): void {
  const run = 'usedBy' in recipe ? recipe : undefined;
  const placed = findings.map((finding) => ({ ...finding, recipe: finding.recipe ?? run }));
  const [first, ...others] = toDiagnostics(recipe, placed);
  if (first) throw new RecipeError('RECIPE_INVALID', [first, ...others]);
}

/** A run of one host has it twice. */
function hostsOf(
  hosts: Recipe['hosts'],
  literal: (role: 'source' | 'destination') => string | undefined,
): Pick<Plan, 'source' | 'destination'> {
  const source = literal('source') ?? hosts.source;
  const destination = literal('destination') ?? hosts.destination;
  const [from, to] = [source ?? destination, destination ?? source];
  if (from === undefined || to === undefined)
    throw new Error('the schema lets no recipe without a host through');
  return { source: from, destination: to };
}

/** What ssh(1) is given for a host that stands in the recipe by its name in the inventory. */
function sshOf(host: string | undefined, inventory: Inventory | undefined): string | undefined {
  return host !== undefined && isLiteral(host) ? inventory?.hosts.get(host)?.ssh : undefined;
}

function workloadOf({ process, checkpoint }: Recipe['workload']): WorkloadSelector {
  if (checkpoint) {
    const { series, id = 'latest' } = checkpoint;
    return { kind: 'checkpoint', series, id: id === 'latest' ? id : Number(id) };
  }
  if (!process) throw new Error('the schema lets no recipe without a workload through');
  if (process.pid !== undefined) return { kind: 'pid', pid: Number(process.pid) };
  if (process.pidFile !== undefined) return { kind: 'pid-file', path: process.pidFile };
  if (process.unit !== undefined) return { kind: 'unit', unit: process.unit };
  if (process.executable === undefined) throw new Error('the schema lets no other workload through');
  const { executable: path, arguments: args } = process;
  return { kind: 'executable', path, ...(args === undefined ? {} : { arguments: args.map(String) }) };
}

/** What other ends have of connections that a checkpoint had is long past. */
function networkOf(network: Recipe['network'], kind: RecipeKind): NetworkPlan {
  const address = network?.address;
  return {
    connections: network?.connections ?? (kind === 'restore' ? 'close' : 'refuse'),
    ...(address ? { address: { cidr: address.cidr, device: address.device ?? 'eth0' } } : {}),
  };
}

/** The recipe's own checks: before anything is touched, and when all is done. */
function withChecks(
  steps: readonly PlanStep[],
  checks: Recipe['checks'],
  builder: StepBuilder,
): readonly PlanStep[] {
  const verify = (id: string, title: string, list: readonly CheckOrProbe[] | undefined): PlanStep[] =>
    list === undefined
      ? []
      : [{ id, title, uses: 'verify', checks: list.map((each) => builder.check(each)), rollback: [] }];
  const after = 1 + steps.findIndex(({ uses }) => uses === 'preflight');
  return [
    ...steps.slice(0, after),
    ...verify('checks.before', 'Check the workload before anything is touched', checks?.before),
    ...steps.slice(after),
    ...verify('checks.after', 'Check the workload at the end', checks?.after),
  ];
}

function toWatch({ probe, every = '250ms', outage }: RecipeWatch, builder: StepBuilder): WatchPlan {
  return {
    probe,
    check: builder.check(probe),
    everyMs: ms(every),
    ...(outage === undefined ? {} : { outageMs: ms(outage) }),
  };
}
