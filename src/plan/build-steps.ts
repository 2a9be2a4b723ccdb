import { parseDuration } from '../recipe/duration.ts';
import type { Path } from '../recipe/path.ts';
import type { Check as RecipeCheck, Command, Recipe, Retry, Rollback } from '../recipe/recipe.generated.ts';
import type { AnyStep } from '../recipe/walk-steps.ts';
import { type BLOCK_LISTS } from '../recipe/walk-steps.ts';
import type {
  ActingStep,
  Check,
  CommandSpec,
  CommandStep,
  Late,
  PlanStep,
  PlanText,
  RetryPolicy,
} from './plan.ts';
import type { RecipeRenderer } from './render-recipe.ts';

/** What a step does, for people, unless the recipe has words of its own. */
const TITLES: Readonly<Record<Exclude<ActingStep['uses'], 'command'>, string>> = {
  preflight: 'Check both hosts and the workload',
  dump: 'Freeze the workload and dump it',
  'transfer/rsync': 'Transfer the images with rsync',
  restore: 'Restore it on the destination, held',
  commit: 'Commit: end the copy on the source, release the destination',
  verify: 'Verify that it works',
};

const DEFAULT_CHECK_TIMEOUT = '5s';
const DEFAULT_COMMAND_TIMEOUT = '1m';

/** Turns the steps of a recipe into those of a plan: templates rendered, `forEach` written out, defaults in place. */
export class StepBuilder {
  readonly #renderer: RecipeRenderer;
  readonly #retries: NonNullable<Recipe['retries']>;

  constructor(renderer: RecipeRenderer, retries: Recipe['retries'] = {}) {
    this.#renderer = renderer;
    this.#retries = retries;
  }

  /**
   * @param prefix of the ids: the number of the step that they are part of, with a dot
   * @param from the number of the first
   * @param offset of the first in the recipe's list
   */
  build(
    steps: readonly AnyStep[],
    path: Path,
    options: { prefix?: string; item?: string; from?: number; offset?: number } = {},
  ): PlanStep[] {
    const { prefix = '', item, from = 1, offset = 0 } = options;
    return steps.flatMap((step, index): PlanStep[] => {
      const at = [...path, offset + index];
      const number = `${prefix}${from + index}`;
      const { forEach } = { forEach: undefined, ...step };
      if (forEach === undefined) return [this.#step(step, at, number, item)];
      const items = this.#renderer.render(forEach, [...at, 'forEach']);
      // Not a list: then there is a finding, and no plan.
      if (!Array.isArray(items)) return [];
      return items.map((each, position) => this.#step(step, at, `${number}.${position + 1}`, String(each)));
    });
  }

  /** The commands of the recipe's own `rollback`. */
  commands(rollback: Rollback | undefined, path: Path): readonly CommandSpec[] {
    const rendered = this.#renderer.render(rollback ?? [], path) as Rollback;
    return rendered.map((each) => toCommand(each.with));
  }

  #step(step: AnyStep, path: Path, number: string, item: string | undefined): PlanStep {
    if (step.uses !== 'block') return this.#acting(step, path, number, item);
    const { steps, rescue = [], always = [] } = step;
    const list = (
      key: (typeof BLOCK_LISTS)[number],
      children: readonly AnyStep[],
      from: number,
    ): PlanStep[] =>
      this.build(children, [...path, key], {
        prefix: `${number}.`,
        from,
        ...(item === undefined ? {} : { item }),
      });
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

  #acting(
    raw: Exclude<AnyStep, { readonly uses: 'block' }>,
    path: Path,
    number: string,
    item: string | undefined,
  ): ActingStep {
    // Rendering changes scalars only, and each is checked; what is late is where a text may be.
    const { if: condition, ...plain } = { if: undefined, ...raw };
    const step = this.#renderer.render(withoutItems(plain), path, item) as typeof raw;
    const base = {
      id: `${number}-${step.uses.split('/')[0] ?? ''}`,
      title: withItem(step.name ?? (step.uses === 'command' ? titleOf(step.with) : TITLES[step.uses]), item),
      ...this.#when(condition, path, item),
      ...(step.timeout === undefined ? {} : { timeoutMs: ms(step.timeout) }),
      rollback: ('rollback' in step ? (step.rollback ?? []) : []).map((each) => toCommand(each.with)),
    };
    switch (step.uses) {
      case 'verify':
        return { ...base, uses: step.uses, checks: step.with.checks.map(toCheck) };
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
      ...(register === undefined ? {} : { register }),
      ...(retry === undefined ? {} : { retry: this.#retry(retry) }),
      ...(exitCodes === undefined ? {} : { exitCodes }),
      ...(irreversible === undefined ? {} : { irreversible }),
      ...(readOnly === true ? { readOnly } : {}),
    };
  }

  #retry(retry: string | Retry): RetryPolicy {
    const policy = typeof retry === 'string' ? this.#retries[retry] : retry;
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

/** `forEach` has been written out. */
function withoutItems(step: object): object {
  return Object.fromEntries(Object.entries(step).filter(([key]) => key !== 'forEach'));
}

function withItem(title: string, item: string | undefined): string {
  return item === undefined ? title : `${title}: ${item}`;
}

function titleOf({ on, argv }: Command): string {
  return `Run ${argv?.[0] ?? 'a script'} on ${on === 'local' ? 'this machine' : `the ${on}`}`;
}

/** A command of a recipe as it is run. `-e` and `-u`: a script ends at its first failure, and at a name without a value. */
export function toCommand({ on, argv, shell, env, stdin }: Command): CommandSpec {
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
    const { url, status = 200, timeout = DEFAULT_CHECK_TIMEOUT, from = 'local' } = http;
    return { kind: 'http', url, status: Number(status), timeoutMs: ms(timeout), from };
  }
  if (tcp) {
    const { address, port, timeout = DEFAULT_CHECK_TIMEOUT, from = 'local' } = tcp;
    return { kind: 'tcp', address, port: Number(port), timeoutMs: ms(timeout), from };
  }
  if (!command) throw new Error('the schema lets no other check through');
  const { timeout = DEFAULT_COMMAND_TIMEOUT, ...spec } = command;
  return { kind: 'command', ...toCommand(spec), timeoutMs: ms(timeout) };
}

/** Milliseconds of a duration that was checked; a template that yields none is a finding, and there is no plan. */
export function ms(duration: string): number {
  return parseDuration(duration) ?? Number.NaN;
}
