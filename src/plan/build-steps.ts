import type { RecipeKind } from '../recipe/kind-findings.ts';
import { parseBandwidth } from '../recipe/bandwidth.ts';
import { parseDuration } from '../recipe/duration.ts';
import type { TemplateValue } from '../template/filters.ts';
import type { Path } from '../recipe/path.ts';
import type {
  ApproveStep,
  Check as RecipeCheck,
  CheckOrProbe,
  Command,
  Recipe,
  RecipeStep,
  Retry,
  Rollback,
} from '../recipe/recipe.generated.ts';
import type { AddedStep, AnyStep, BLOCK_LISTS, TopStep } from '../recipe/walk-steps.ts';
import type { UsedRecipe } from '../recipe/finding.ts';
import type { ResolvedInputs } from './inputs.ts';
import { resolveGiven } from './used-inputs.ts';
import type {
  ActingStep,
  Approval,
  Check,
  CommandSpec,
  CommandStep,
  BlockStep,
  Late,
  PlanStep,
  PlanText,
  RetryPolicy,
  SecretSource,
} from './plan.ts';
import { RecipeRenderer } from './render-recipe.ts';

/** What a step does, for people, unless the recipe has words of its own. */
const TITLES: Readonly<Record<Exclude<ActingStep['uses'], 'command' | 'give-up'>, string>> = {
  preflight: 'Check both hosts and the workload',
  prepare: 'Prepare both hosts',
  'pre-copy': 'Copy the memory while the workload runs',
  dump: 'Freeze the workload and dump it',
  'transfer/rsync': 'Transfer the images with rsync',
  'transfer/sftp': 'Transfer the images through this machine',
  'transfer/shared': 'Let the destination read the images where the source wrote them',
  'transfer/stream': 'Transfer all but the memory, which was streamed',
  'transfer/checkpoint': 'Take the images of the checkpoint',
  restore: 'Restore it on the destination, held',
  checkpoint: 'Keep the checkpoint, let the workload run on',
  commit: 'Commit: end the copy on the source, release the destination',
  'post-copy': 'Fetch the rest of the memory, end the copy on the source',
  verify: 'Verify that it works',
  approve: 'Wait for approval',
};

/** The same on the one host of a checkpoint or a restore. */
const TITLES_OF_ONE_HOST: Readonly<Record<Exclude<RecipeKind, 'move'>, Partial<typeof TITLES>>> = {
  checkpoint: { preflight: 'Check the host and the workload', prepare: 'Prepare the host' },
  restore: {
    preflight: 'Check the host and the checkpoint',
    prepare: 'Prepare the host',
    restore: 'Restore it, held',
    commit: 'Commit: let it run',
  },
};

const DEFAULT_CHECK_TIMEOUT = '5s';
const DEFAULT_COMMAND_TIMEOUT = '1m';

/** What steps read of the recipe that they are part of, rendered. */
type Shared = Pick<Recipe, 'retries' | 'probes'>;

/** Turns the steps of a recipe into those of a plan: templates rendered, `forEach` written out, defaults in place. */
export class StepBuilder {
  readonly #renderer: RecipeRenderer;
  readonly #shared: Shared;
  readonly #used: ReadonlyMap<object, UsedRecipe>;
  readonly #titles: typeof TITLES;
  /** Of the recipes that are used, by their names in the plan. */
  readonly usedInputs: { values: Map<string, TemplateValue>; secrets: Record<string, SecretSource> } = {
    values: new Map(),
    secrets: {},
  };

  constructor(
    renderer: RecipeRenderer,
    shared: Shared,
    used: ReadonlyMap<object, UsedRecipe>,
    kind: RecipeKind,
    isPostCopied = false,
  ) {
    this.#renderer = renderer;
    this.#shared = shared;
    this.#used = used;
    this.#titles = {
      ...TITLES,
      ...(kind !== 'move' && TITLES_OF_ONE_HOST[kind]),
      ...(isPostCopied && { commit: 'Commit: leave the copy on the source frozen, release the destination' }),
    };
  }

  /** A step at the top, once for each item of its `forEach`. */
  build({ step, path, number, isAdded }: TopStep): PlanStep[] {
    if (!isAdded) return this.#each(step as AnyStep, path, number);
    const added = step as AddedStep;
    const id = added.uses === 'commit' ? `${number}-commit` : added.uses;
    return [{ id, title: this.#titles[added.uses], ...added, rollback: [] }];
  }

  #each(step: AnyStep, path: Path, number: string, item?: string): PlanStep[] {
    const { forEach } = { forEach: undefined, ...step };
    if (forEach === undefined) return [this.#step(step, path, number, item)];
    const items = this.#renderer.render(forEach, [...path, 'forEach']);
    // Not a list: then there is a finding, and no plan.
    if (!Array.isArray(items)) return [];
    return items.map((each, position) => this.#step(step, path, `${number}.${position + 1}`, String(each)));
  }

  /** A check, or the probe of that name. */
  check(check: CheckOrProbe): Check {
    if (typeof check !== 'string') return toCheck(check);
    const probe = this.#shared.probes?.[check];
    if (probe === undefined) throw new Error('the checks let no unknown probe through');
    return { ...toCheck(probe), probe: check };
  }

  /** The commands of the recipe's own `rollback`. */
  commands(rollback: Rollback | undefined, path: Path): readonly CommandSpec[] {
    const rendered = this.#renderer.render(rollback ?? [], path) as Rollback;
    return rendered.map((each) => toCommand(each.with));
  }

  #step(step: AnyStep, path: Path, number: string, item: string | undefined): PlanStep {
    if (step.uses === 'recipe') return this.#recipe(step, path, number, item);
    if (step.uses !== 'block') return this.#acting(step, path, number, item);
    const { steps, rescue = [], always = [] } = step;
    const list = (
      key: (typeof BLOCK_LISTS)[number],
      children: readonly AnyStep[],
      from: number,
    ): readonly PlanStep[] =>
      children.flatMap((child, index) =>
        this.#each(child, [...path, key, index], `${number}.${from + index}`, item),
      );
    return {
      id: `${number}-block`,
      title: withItem(step.name ?? 'Block', item),
      ...this.#when(step.if, path, item),
      rollback: [],
      uses: 'block',
      steps: list('steps', steps, 1),
      rescue: list('rescue', rescue, 1 + steps.length),
      always: list('always', always, 1 + steps.length + rescue.length),
    };
  }

  /** The steps of a recipe that is used stand in a block, and see inputs and results of their own. */
  #recipe(step: RecipeStep, path: Path, number: string, item: string | undefined): BlockStep {
    const recipe = this.#used.get(step);
    if (!recipe) throw new Error('a recipe that is used was not loaded');
    const inputs = resolveGiven(
      this.#renderer,
      recipe,
      step.with.inputs ?? {},
      [...path, 'with', 'inputs'],
      item,
    );
    const renderer = new RecipeRenderer(recipe.data, inputs, {
      name: number,
      recipe,
      findings: this.#renderer.findings,
    });
    const { retries, probes } = recipe.data;
    const shared = renderer.render({ retries, probes }, []) as Shared;
    // What belongs to a kind stands at the top only.
    const builder = new StepBuilder(renderer, shared, recipe.used, 'move');
    const steps = recipe.data.steps.flatMap((child, index) =>
      builder.#each(child, ['steps', index], `${number}.${index + 1}`),
    );
    this.#keep(inputs, number);
    this.#keep(builder.usedInputs);
    return {
      id: `${number}-recipe`,
      title: withItem(step.name ?? recipe.data.name, item),
      ...this.#when(step.if, path, item),
      rollback: [],
      uses: 'block',
      steps,
      rescue: [],
      always: [],
    };
  }

  #keep({ values, secrets }: ResolvedInputs, scope?: string): void {
    const nameOf = (name: string): string => (scope === undefined ? name : `${scope}/${name}`);
    for (const [name, value] of values) this.usedInputs.values.set(nameOf(name), value);
    for (const [name, source] of Object.entries(secrets)) this.usedInputs.secrets[nameOf(name)] = source;
  }

  #acting(
    raw: Exclude<AnyStep, { readonly uses: 'block' | 'recipe' }>,
    path: Path,
    number: string,
    item: string | undefined,
  ): ActingStep {
    // Rendering changes scalars only, and each is checked; what is late is where a text may be.
    const { if: condition, forEach: _, ...plain } = { if: undefined, forEach: undefined, ...raw };
    const step = this.#renderer.render(plain, path, item) as typeof raw;
    const { timeout, rollback = [] } = { timeout: undefined, rollback: undefined, ...step };
    const base = {
      id: `${number}-${step.uses.split('/')[0] ?? ''}`,
      title: withItem(
        step.name ?? (step.uses === 'command' ? titleOf(step.with) : this.#titles[step.uses]),
        item,
      ),
      ...this.#when(condition, path, item),
      ...(timeout === undefined ? {} : { timeoutMs: ms(timeout) }),
      rollback: rollback.map((each) => toCommand(each.with)),
    };
    switch (step.uses) {
      case 'preflight': {
        const { allow } = step.with ?? {};
        return { ...base, uses: step.uses, ...(allow === undefined ? {} : { allow }) };
      }
      case 'verify':
        return { ...base, uses: step.uses, checks: step.with.checks.map((each) => this.check(each)) };
      case 'transfer/rsync':
      case 'transfer/sftp':
      case 'transfer/stream': {
        const { bandwidthLimit } = step.with ?? {};
        return {
          ...{ ...base, uses: step.uses },
          ...(bandwidthLimit === undefined ? {} : { bandwidthLimit: bytesPerSecond(bandwidthLimit) }),
        };
      }
      case 'transfer/shared':
        return { ...base, uses: step.uses, directory: step.with.directory };
      case 'checkpoint': {
        const { series, keep = 3, maxAge } = step.with;
        const age = maxAge === undefined ? {} : { maxAgeMs: ms(maxAge) };
        return { ...base, uses: step.uses, series, keep: Number(keep), ...age };
      }
      case 'approve':
        return { ...base, uses: step.uses, ...toApproval(step.with) };
      case 'command':
        return { ...base, uses: step.uses, ...this.#commandKeys(step), ...toCommand(step.with) };
      default:
        return { ...base, uses: step.uses };
    }
  }

  #commandKeys(
    step: Extract<AnyStep, { readonly uses: 'command' }>,
  ): Pick<CommandStep, 'register' | 'retry' | 'exitCodes' | 'irreversible' | 'readOnly'> {
    const { register, irreversible, readOnly, retry, exitCodes } = {
      register: undefined,
      exitCodes: undefined,
      irreversible: undefined,
      readOnly: undefined,
      ...step,
    };
    return {
      ...(register === undefined ? {} : { register: this.#renderer.nameOf(register) }),
      ...(retry === undefined ? {} : { retry: this.#retry(retry) }),
      ...(exitCodes === undefined ? {} : { exitCodes }),
      ...(irreversible === undefined ? {} : { irreversible }),
      ...(readOnly === true ? { readOnly } : {}),
    };
  }

  #retry(retry: string | Retry): RetryPolicy {
    const policy = typeof retry === 'string' ? this.#shared.retries?.[retry] : retry;
    if (policy === undefined) throw new Error('the checks let no unknown retry through');
    const { attempts, delay = '1s', backoff = 2, maxDelay = '1m' } = policy;
    return { attempts, delayMs: ms(delay), backoff, maxDelayMs: ms(maxDelay) };
  }

  #when(
    condition: boolean | string | undefined,
    path: Path,
    item: string | undefined,
  ): { readonly when?: false | Late } {
    if (condition === undefined) return {};
    const when = this.#renderer.render(condition, [...path, 'if'], item) as boolean | Late;
    return when === true ? {} : { when };
  }
}

/** The title of what is done for an item of a `forEach`. */
export function withItem(title: string, item: string | undefined): string {
  return item === undefined ? title : `${title}: ${item}`;
}

function titleOf({ on, argv }: Command): string {
  return `Run ${argv?.[0] ?? 'a script'} on ${on === 'local' ? 'this machine' : `the ${on}`}`;
}

/** A command of a recipe as it is run. `-e` and `-u`: a script ends at its first failure, and at a name without a value. */
function toCommand({ on, argv, shell, env, stdin }: Command): CommandSpec {
  if (argv === undefined && shell === undefined) throw new Error('the schema lets no other command through');
  const [program, ...args]: readonly [string, ...PlanText[]] = argv ?? ['sh', '-eu', '-c', shell ?? ''];
  return {
    on,
    argv: [program, ...args],
    ...(env === undefined ? {} : { env }),
    ...(stdin === undefined ? {} : { stdin }),
  };
}

function toCheck({ http, tcp, command }: RecipeCheck): Check {
  if (http) {
    const { url, status = 200, body, within, timeout = DEFAULT_CHECK_TIMEOUT, from = 'local' } = http;
    const statuses = (Array.isArray(status) ? status : [status]).map(Number);
    return {
      kind: 'http',
      url,
      statuses,
      ...given({ body }),
      ...withinOf(within),
      timeoutMs: ms(timeout),
      from,
    };
  }
  if (tcp) {
    const { address, port, within, timeout = DEFAULT_CHECK_TIMEOUT, from = 'local' } = tcp;
    return { kind: 'tcp', address, port: Number(port), ...withinOf(within), timeoutMs: ms(timeout), from };
  }
  if (!command) throw new Error('the schema lets no other check through');
  const { timeout = DEFAULT_COMMAND_TIMEOUT, exitCodes, stdout, ...spec } = command;
  return { kind: 'command', ...toCommand(spec), ...given({ exitCodes, stdout }), timeoutMs: ms(timeout) };
}

function withinOf(within: string | undefined): { readonly withinMs?: number } {
  return within === undefined ? {} : { withinMs: ms(within) };
}

/** Without the keys that have no value. */
function given<Value extends object>(value: Value): { [Key in keyof Value]?: NonNullable<Value[Key]> } {
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(entries) as { [Key in keyof Value]?: NonNullable<Value[Key]> };
}

function toApproval(options: ApproveStep['with'] = {}): Approval {
  const { message = 'Go on with the run?', by = [], approvals = 1, expires = '1h' } = options;
  return { message, by, approvals, expiresMs: ms(expires) };
}

/** Of a bandwidth that was checked. */
function bytesPerSecond(bandwidth: string): number {
  return parseBandwidth(bandwidth) ?? Number.NaN;
}

/** Milliseconds of a duration that was checked; a template that yields none is a finding, and there is no plan. */
export function ms(duration: string): number {
  return parseDuration(duration) ?? Number.NaN;
}
