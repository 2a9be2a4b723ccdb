import { parseDuration } from '../recipe/duration.ts';
import { kindAt } from '../recipe/fields.ts';
import { type Finding, toDiagnostics, type ValidRecipe } from '../recipe/finding.ts';
import { overlapFindings } from '../recipe/overlap-findings.ts';
import { describePath, type Path } from '../recipe/path.ts';
import { RecipeError } from '../recipe/recipe-error.ts';
import type { Check as RecipeCheck, Command, Recipe, Step } from '../recipe/recipe.generated.ts';
import { isTemplateField } from '../recipe/template-findings.ts';
import { checkValue } from '../recipe/values.ts';
import type { TemplateValue } from '../template/filters.ts';
import { inspectTemplate } from '../template/gate.ts';
import { renderTemplate } from '../template/render.ts';
import { digestOf } from './digest.ts';
import type { Check, CommandSpec, NetworkPlan, Plan, PlanStep, WorkloadSelector } from './plan.ts';

/** What a step does, for people, unless the recipe has words of its own. */
const TITLES: Readonly<Record<Step['uses'], string>> = {
  preflight: 'Check both hosts and the workload',
  dump: 'Freeze the workload and dump it',
  'transfer/rsync': 'Transfer the images with rsync',
  restore: 'Restore it on the destination, held',
  commit: 'Commit: end the copy on the source, release the destination',
  verify: 'Verify that it works',
  command: 'Run a command',
};

const DEFAULT_CHECK_TIMEOUT = '5s';
const DEFAULT_COMMAND_TIMEOUT = '1m';

/**
 * Turns a recipe and its inputs into a plan. Pure: the same recipe and inputs give the same plan and digest.
 * @throws RecipeError when a template yields what its place cannot take
 */
export function buildPlan(recipe: ValidRecipe, inputs: ReadonlyMap<string, TemplateValue>): Plan {
  const data = rendered(recipe, inputs);
  const downtimeMs = data.objectives?.downtime === undefined ? undefined : ms(data.objectives.downtime);
  const plan: Omit<Plan, 'digest'> = {
    version: 1,
    name: data.name,
    file: recipe.source.name,
    source: data.hosts.source,
    destination: data.hosts.destination,
    workload: workloadOf(data.workload.process),
    network: networkOf(data.network),
    files: (data.files ?? []).map(({ path }) => ({ path })),
    objectives: downtimeMs === undefined ? {} : { downtimeMs },
    steps: withCommit(data.steps).map(toPlanStep),
  };
  return { ...plan, digest: digestOf(plan) };
}

/** The recipe with every template rendered, and every rendered value checked once more. */
function rendered(recipe: ValidRecipe, inputs: ReadonlyMap<string, TemplateValue>): Recipe {
  const findings: Finding[] = [];
  const walk = (value: unknown, path: Path): unknown => {
    if (Array.isArray(value)) return value.map((item, index) => walk(item, [...path, index]));
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [key, walk(item, [...path, key])]),
      );
    }
    if (typeof value !== 'string' || !isTemplateField(path)) return value;
    const kind = kindAt(path);
    const yielded = renderTemplate(value, inputs);
    const problem = kind && checkValue(describePath(path), kind, yielded);
    if (problem) {
      const lines = [problem.hint, origin(value, inputs)].filter((line) => line !== undefined);
      const hint = lines.length === 0 ? undefined : lines.join('\n');
      findings.push({ path, at: 'value', code: 'wrong-value', message: problem.message, hint });
    }
    // A template that is one expression yields a number where its input is one.
    return kind === 'pid' || kind === 'port' || kind === 'status' ? yielded : String(yielded);
  };
  // Rendering changes scalars only, and each is checked.
  const data = walk(recipe.data, []) as Recipe;
  const [first, ...rest] = toDiagnostics(recipe, findings.length > 0 ? findings : overlapFindings(data));
  if (first) throw new RecipeError('RECIPE_INVALID', [first, ...rest]);
  return data;
}

/** Which inputs a value came from: they are what a person can change without the recipe. */
function origin(template: string, inputs: ReadonlyMap<string, TemplateValue>): string | undefined {
  const { inputs: names } = inspectTemplate(template, [...inputs.keys()]);
  return names.length === 0 ? undefined : `It comes from ${names.map((name) => `-i ${name}=…`).join(' ')}`;
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
function withCommit(steps: readonly Step[]): readonly Step[] {
  if (steps.some(({ uses }) => uses === 'commit')) return steps;
  return steps.flatMap((step): Step[] => (step.uses === 'restore' ? [step, { uses: 'commit' }] : [step]));
}

function toPlanStep(step: Step, index: number): PlanStep {
  const base = {
    id: `${index + 1}-${step.uses.split('/')[0]}`,
    title: step.name ?? TITLES[step.uses],
    ...(step.timeout === undefined ? {} : { timeoutMs: ms(step.timeout) }),
    rollback: (step.rollback ?? []).map((each) => toCommand(each.with)),
  };
  switch (step.uses) {
    case 'verify':
      return { ...base, uses: step.uses, checks: step.with.checks.map(toCheck) };
    case 'command':
      return {
        ...base,
        title:
          step.name ??
          `Run ${step.with.argv[0]} on ${step.with.on === 'local' ? 'this machine' : `the ${step.with.on}`}`,
        uses: step.uses,
        ...toCommand(step.with),
      };
    default:
      return { ...base, uses: step.uses };
  }
}

function toCommand({ on, argv: [program, ...args] }: Command): CommandSpec {
  return { on, argv: [program, ...args] };
}

function toCheck({ http, tcp, command }: RecipeCheck): Check {
  if (http) {
    const { url, status = 200, timeout = DEFAULT_CHECK_TIMEOUT, from = 'local' } = http;
    return { kind: 'http', url, status: Number(status), timeoutMs: ms(timeout), from };
  }
  if (tcp) {
    const { address, port, timeout = DEFAULT_CHECK_TIMEOUT, from = 'local' } = tcp;
    return { kind: 'tcp', address, port: Number(port), timeoutMs: ms(timeout), from };
  }
  if (!command) throw new Error('the schema lets no other check through');
  return {
    kind: 'command',
    ...toCommand(command),
    timeoutMs: ms(command.timeout ?? DEFAULT_COMMAND_TIMEOUT),
  };
}

function ms(duration: string): number {
  const durationMs = parseDuration(duration);
  if (durationMs === undefined) throw new Error(`not a duration: ${duration}`);
  return durationMs;
}
