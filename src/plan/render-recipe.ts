import { kindAt } from '../recipe/fields.ts';
import type { Finding, RecipeSteps, UsedRecipe } from '../recipe/finding.ts';
import type { Path } from '../recipe/path.ts';
import { isTemplateField } from '../recipe/template-findings.ts';
import { checkValue, type ValueKind, type ValueProblem } from '../recipe/values.ts';
import { walkSteps } from '../recipe/walk-steps.ts';
import type { TemplateType, TemplateValue } from '../template/filters.ts';
import { inspectTemplate } from '../template/gate.ts';
import { renderInspected } from '../template/render.ts';
import { typeOf } from '../template/scope.ts';
import type { ResolvedInputs } from './inputs.ts';
import type { Late } from './plan.ts';

/** A recipe that is used, as a part of the plan. */
export interface RendererScope {
  /** With which the names of its inputs, secrets and results begin in the plan. */
  readonly name: string;
  readonly recipe: UsedRecipe;
  /** Where its findings are told of. */
  readonly findings: Finding[];
}

/** Renders the templates of a recipe, as far as that can be done before the run, and checks what they yield. */
export class RecipeRenderer {
  /** What the templates yield that their places cannot take. */
  readonly findings: Finding[];
  readonly inputs: ResolvedInputs;
  readonly #scope: RendererScope | undefined;
  readonly #values: ReadonlyMap<string, TemplateValue>;
  readonly #secrets: ReadonlySet<string>;
  readonly #types: ReadonlyMap<string, TemplateType>;
  readonly #results: ReadonlySet<string>;

  constructor(data: RecipeSteps, inputs: ResolvedInputs, scope?: RendererScope) {
    const { values, secrets } = inputs;
    this.inputs = inputs;
    this.#scope = scope;
    this.findings = scope?.findings ?? [];
    this.#values = values;
    this.#secrets = new Set(Object.keys(secrets));
    this.#types = new Map([
      ...[...values].map(([name, value]): [string, TemplateType] => [name, typeOf(value)]),
      ...[...this.#secrets].map((name): [string, TemplateType] => [name, 'text']),
    ]);
    this.#results = new Set(
      [...walkSteps(data)].flatMap(({ step }) =>
        'register' in step && step.register !== undefined ? [step.register] : [],
      ),
    );
  }

  /** Tells of a value that its place cannot take. */
  refuse(path: Path, problem: ValueProblem, code: Finding['code'] = 'wrong-value'): void {
    this.findings.push({ path, at: 'value', code, ...problem, recipe: this.#scope?.recipe });
  }

  /** The name in the plan of what a recipe calls so. */
  nameOf(name: string): string {
    return this.#scope === undefined ? name : `${this.#scope.name}/${name}`;
  }

  /**
   * A part of the recipe with its templates rendered. A list that stands in a list becomes its items. What reads a result
   * or a secret becomes {@link Late}.
   */
  render(value: unknown, path: Path, item?: string): unknown {
    if (Array.isArray(value)) {
      return value.flatMap((each: unknown, index) => this.render(each, [...path, index], item));
    }
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(
        Object.entries(value).map(([key, each]) => [key, this.render(each, [...path, key], item)]),
      );
    }
    if (typeof value !== 'string' || !isTemplateField(path)) return value;
    return this.#renderText(value, path, item);
  }

  #renderText(template: string, path: Path, item: string | undefined): unknown {
    const inspected = inspectTemplate(template, {
      inputs: this.#types,
      results: this.#results,
      hasItem: item !== undefined,
    });
    const { inputs, results } = inspected;
    if (results.length > 0 || inputs.some((name) => this.#secrets.has(name))) {
      const scope = this.#scope && { scope: this.#scope.name };
      return { template, ...scope, ...(item === undefined ? {} : { item }) } satisfies Late;
    }
    const kind = kindAt(path);
    const yielded = renderInspected(inspected, { inputs: this.#values, item });
    const isList = typeof yielded === 'object';
    for (const each of isList && kind !== 'items' && kind !== 'given' ? yielded : [yielded]) {
      const problem = kind && kind !== 'given' && checkValue(path, kind, each);
      if (!problem) continue;
      const lines = [problem.hint, origin(inputs)].filter((line) => line !== undefined);
      this.refuse(path, {
        message: problem.message,
        ...(lines.length === 0 ? {} : { hint: lines.join('\n') }),
      });
    }
    // A template that is one expression yields a number where its input is one.
    const keeps = KEEP_THEIR_TYPE.has(kind);
    return keeps || isList ? yielded : String(yielded);
  }
}

const KEEP_THEIR_TYPE: ReadonlySet<ValueKind | undefined> = new Set([
  'pid',
  'port',
  'status',
  'condition',
  'given',
]);

/** Which inputs a value came from: they are what a person can change without the recipe. */
function origin(names: readonly string[]): string | undefined {
  return names.length === 0 ? undefined : `It comes from ${names.map((name) => `-i ${name}=…`).join(' ')}`;
}
