import type { TemplateType } from '../template/filters.ts';
import { type GateResult, inspectTemplate } from '../template/gate.ts';
import type { TemplateScope } from '../template/scope.ts';
import { kindAt, mayRead } from './fields.ts';
import { type Finding, MAX_DIAGNOSTICS, type RecipeSteps } from './finding.ts';
import { describePath, forEachScalar, type Path } from './path.ts';
import { code } from './printable.ts';
import type { Input, Recipe } from './recipe.generated.ts';
import { didYouMean } from './suggest.ts';
import { checkValue } from './values.ts';
import { type AnyStep, BLOCK_LISTS, walkSteps } from './walk-steps.ts';

/** Below these, text is never a template. */
const PLAIN = new Set(['inputs', 'retries', 'name', 'description', 'version']);

/** Whether a scalar of a recipe is rendered as a template. */
export function isTemplateField(path: Path): boolean {
  const kind = kindAt(path);
  return !PLAIN.has(String(path[0])) && kind !== undefined && kind !== 'pattern' && path.at(-1) !== 'name';
}

/** What templates yield of each input of a recipe. */
export function inputTypes({ inputs = {} }: Pick<Recipe, 'inputs'>): ReadonlyMap<string, TemplateType> {
  return new Map(Object.entries(inputs).map(([name, input]) => [name, typeOfInput(input)]));
}

function typeOfInput({ type }: Pick<Input, 'type'>): TemplateType {
  if (type === 'int' || type === 'pid' || type === 'port') return 'number';
  return type === 'bool' || type === 'list' ? type : 'text';
}

/** Mistakes in templates, plain values that are not what their place needs, and inputs that nothing reads. */
export function valueFindings(recipe: RecipeSteps): readonly Finding[] {
  return new ValueFindings(recipe).all();
}

class ValueFindings {
  readonly #recipe: RecipeSteps & Partial<Omit<Recipe, 'steps'>>;
  readonly #inputs: ReadonlyMap<string, TemplateType>;
  readonly #secrets: ReadonlySet<string>;
  readonly #used = new Set<string>();
  readonly #findings: Finding[] = [];
  #errors = 0;

  constructor(recipe: RecipeSteps) {
    const inputs = Object.entries(recipe.inputs ?? {});
    this.#recipe = recipe;
    this.#inputs = inputTypes(recipe);
    this.#secrets = new Set(inputs.flatMap(([name, { type }]) => (type === 'secret' ? [name] : [])));
  }

  all(): readonly Finding[] {
    const { steps: _, always: __, hooks: ___, rollback, runs = [], ...rest } = this.#recipe;
    const scope: TemplateScope = { inputs: this.#inputs, results: new Set(), hasItem: false };
    this.#look(rest, [], scope);
    for (const [index, { forEach, ...own }] of runs.entries()) {
      this.#look({ forEach }, ['runs', index], scope);
      this.#look(own, ['runs', index], { ...scope, hasItem: forEach !== undefined });
    }
    const results = this.#lookAtSteps();
    // They may run before any step did: what has not run has an empty result.
    this.#look({ rollback }, [], { ...scope, results });
    const unused = [...this.#inputs.keys()].filter((name) => !this.#used.has(name));
    return [...this.#findings, ...unused.map(unusedFinding)];
  }

  /** @returns the names under which steps register their results */
  #lookAtSteps(): ReadonlySet<string> {
    // One that grows: a step reads what was registered before it.
    const results = new Set<string>();
    for (const { step, path, blocks } of walkSteps(this.#recipe)) {
      const hasItem = [...blocks, step].some((each) => 'forEach' in each);
      const scope = { inputs: this.#inputs, results, hasItem };
      const { forEach, own } = withoutChildren(step);
      // What the items are cannot depend on the item.
      this.#look({ forEach }, path, { ...scope, hasItem: false });
      this.#look(own, path, scope);
      if ('register' in step && step.register !== undefined) results.add(step.register);
    }
    return results;
  }

  #look(value: unknown, at: Path, scope: TemplateScope): void {
    forEachScalar(
      value,
      (path, scalar) => {
        // Suggestions take time, and nobody sees more of them.
        if (this.#errors >= MAX_DIAGNOSTICS || scalar === undefined) return;
        const found = this.#scalarFindings(path, scalar, scope);
        this.#errors += found.filter(({ severity }) => severity !== 'warning').length;
        this.#findings.push(...found);
      },
      at,
    );
  }

  #scalarFindings(path: Path, scalar: unknown, scope: TemplateScope): readonly Finding[] {
    if (typeof scalar !== 'string' || !isTemplateField(path)) return plainFindings(path, scalar);
    const result = inspectTemplate(scalar, scope);
    for (const name of result.inputs) this.#used.add(name);
    if (result.form === 'text') return plainFindings(path, scalar);
    if (result.problems.length === 0) return this.#placeFindings(path, result);
    return result.problems.map(({ message, hint: advice, unknown, offset, length }): Finding => {
      const hint = unknown ? hintFor(unknown, path) : advice;
      const part = { template: scalar, offset, length };
      return { path, at: 'value', code: 'template', message, part, ...(hint === undefined ? {} : { hint }) };
    });
  }

  /** A template without a mistake, in a place where it cannot be. */
  #placeFindings(path: Path, { inputs, results, type }: GateResult): readonly Finding[] {
    const where = describePath(path);
    const finding = (message: string, hint: string): Finding[] => [
      { path, at: 'value', code: 'template', message, hint },
    ];
    const secret = inputs.find((name) => this.#secrets.has(name));
    if (secret !== undefined && !mayRead(path, 'secrets')) {
      const message = `The secret ${code(secret)} cannot stand in ${where}: others could read it there`;
      return finding(message, 'Give it to a command by `env` or `stdin`.');
    }
    if (results.length > 0 && !mayRead(path, 'results')) {
      const message = `${where} must be known before the run, and a result is known only while it runs`;
      return finding(
        message,
        'Results can be read in `if`, and in the `argv`, `env` and `stdin` of a command.',
      );
    }
    const kind = kindAt(path);
    if (kind === 'condition' && type !== 'bool') {
      const hint = 'Compare it: "{{ inputs.mode == \'careful\' }}".';
      return finding(`${where} must yield true or false, and yields ${WORDS[type]}`, hint);
    }
    if (kind === 'items' && type !== 'list') {
      const hint = 'Read an input of the type `list`, or make a list of a text: `{{ inputs.text | lines }}`.';
      return finding(`${where} must yield a list, and yields ${WORDS[type]}`, hint);
    }
    if (kind === 'given') return [];
    if (type === 'list' && kind !== 'items' && kind !== 'argument') {
      const hint = "Make one text of it: `{{ inputs.name | join(' ') }}`.";
      return finding(`${where} must yield one value, and yields a list`, hint);
    }
    if (type === 'list' && kind !== 'items' && typeof path.at(-1) !== 'number') {
      const hint = "Make one text of it: `{{ inputs.name | join(' ') }}`.";
      return finding(`${where} holds one text, and this yields a list`, hint);
    }
    return [];
  }
}

const WORDS: Readonly<Record<TemplateType, string>> = {
  text: 'a text',
  number: 'a number',
  bool: 'true or false',
  list: 'a list',
};

/** A block's own keys: its steps are looked at one by one. */
function withoutChildren(step: AnyStep): { readonly forEach: unknown; readonly own: object } {
  const { forEach, ...own } = { forEach: undefined, ...step };
  if (step.uses !== 'block') return { forEach, own };
  const lists: ReadonlySet<string> = new Set(BLOCK_LISTS);
  return { forEach, own: Object.fromEntries(Object.entries(own).filter(([key]) => !lists.has(key))) };
}

function hintFor(
  { name, known, noun }: NonNullable<GateResult['problems'][number]['unknown']>,
  path: Path,
): string {
  if (noun === 'results' && path[0] === 'runs')
    return 'What a sequence runs is known before anything runs: read inputs.';
  return noun === 'results' && known.length === 0
    ? 'A step keeps its result with `register: name`, and steps after it read it.'
    : didYouMean(name, known, noun);
}

function unusedFinding(name: string): Finding {
  return {
    path: ['inputs', name],
    at: 'key',
    code: 'unused-input',
    severity: 'warning',
    message: `Nothing reads the input \`${name}\``,
    hint: `Read it as \`{{ inputs.${name} }}\`, or take it out.`,
  };
}

function plainFindings(path: Path, scalar: unknown): Finding[] {
  if (typeof scalar === 'string' && scalar.includes('{{') && path.at(-1) !== 'description') {
    if (path.at(-1) !== 'shell')
      return [{ path, at: 'value', code: 'template', severity: 'warning', ...NOT_RENDERED }];
    // Other programs have braces too: `podman inspect --format '{{.State.Pid}}'`.
    const isMeant = OURS.test(scalar);
    return isMeant ? [{ path, at: 'value', code: 'template', ...IN_A_SHELL }] : [];
  }
  const kind = path[0] === 'inputs' ? undefined : kindAt(path);
  const problem = kind && checkValue(path, kind, scalar);
  return problem ? [{ path, at: 'value', code: 'wrong-value', ...problem }] : [];
}

const NOT_RENDERED: Pick<Finding, 'message' | 'hint'> = {
  message: 'This is not rendered as a template: the braces stay as they are',
  hint: 'Names, descriptions and defaults are plain text.',
};

const OURS = /\{\{-?[\s(]*(inputs|results|item)\b/;

const IN_A_SHELL: Pick<Finding, 'message' | 'hint'> = {
  message:
    'No template can stand in a script: whatever a value holds, the shell would read it as a part of it',
  hint: 'Give it by `env: { NAME: "{{ inputs.name }}" }`, and read it as "$NAME", with the quotes.',
};
