import { kindAt } from '../recipe/fields.ts';
import type { Finding, ValidRecipe } from '../recipe/finding.ts';
import { describePath, type Path } from '../recipe/path.ts';
import { isTemplateField } from '../recipe/template-findings.ts';
import { checkValue } from '../recipe/values.ts';
import { walkSteps } from '../recipe/walk-steps.ts';
import type { TemplateType, TemplateValue } from '../template/filters.ts';
import { inspectTemplate } from '../template/gate.ts';
import { renderInspected } from '../template/render.ts';
import { typeOf } from '../template/scope.ts';
import type { ResolvedInputs } from './inputs.ts';
import type { Late } from './plan.ts';

/** Renders the templates of a recipe, as far as that can be done before the run, and checks what they yield. */
export class RecipeRenderer {
  /** What the templates yield that their places cannot take. */
  readonly findings: Finding[] = [];
  readonly #values: ReadonlyMap<string, TemplateValue>;
  readonly #secrets: ReadonlySet<string>;
  readonly #types: ReadonlyMap<string, TemplateType>;
  readonly #results: ReadonlySet<string>;

  constructor(recipe: ValidRecipe, { values, secrets }: ResolvedInputs) {
    this.#values = values;
    this.#secrets = new Set(Object.keys(secrets));
    this.#types = new Map([
      ...[...values].map(([name, value]): [string, TemplateType] => [name, typeOf(value)]),
      ...[...this.#secrets].map((name): [string, TemplateType] => [name, 'text']),
    ]);
    this.#results = new Set(
      [...walkSteps(recipe.data)].flatMap(({ step }) =>
        'register' in step && step.register !== undefined ? [step.register] : [],
      ),
    );
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
      return { template, ...(item === undefined ? {} : { item }) } satisfies Late;
    }
    const kind = kindAt(path);
    const yielded = renderInspected(inspected, { inputs: this.#values, item });
    const isList = typeof yielded === 'object';
    for (const each of isList && kind !== 'items' ? yielded : [yielded]) {
      const problem = kind && checkValue(describePath(path), kind, each);
      if (!problem) continue;
      const lines = [problem.hint, origin(inputs)].filter((line) => line !== undefined);
      const hint = lines.length === 0 ? undefined : lines.join('\n');
      this.findings.push({ path, at: 'value', code: 'wrong-value', message: problem.message, hint });
    }
    // A template that is one expression yields a number where its input is one.
    const keeps = kind === 'pid' || kind === 'port' || kind === 'status' || kind === 'condition';
    return keeps || isList ? yielded : String(yielded);
  }
}

/** Which inputs a value came from: they are what a person can change without the recipe. */
function origin(names: readonly string[]): string | undefined {
  return names.length === 0 ? undefined : `It comes from ${names.map((name) => `-i ${name}=…`).join(' ')}`;
}
