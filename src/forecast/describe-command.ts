import { actingSteps, type CommandSpec, type Plan, type PlanText } from '../plan/plan.ts';
import { renderKnown } from '../template/render-known.ts';
import { type TemplateScope, typeOf } from '../template/scope.ts';
import type { ForecastCommand, Word } from './forecast.ts';
import { lateHole, toWord } from './word.ts';

/** Describes the commands of a recipe: what reads results or secrets has their names in its place. */
export class CommandDescriber {
  readonly #values: ReadonlyMap<string, Plan['inputs'][string]>;
  readonly #scope: Omit<TemplateScope, 'hasItem'>;

  constructor({ inputs, secrets, steps, always }: Plan) {
    this.#values = new Map(Object.entries(inputs));
    this.#scope = {
      inputs: new Map([
        ...[...this.#values].map(([name, value]) => [name, typeOf(value)] as const),
        ...Object.keys(secrets).map((name) => [name, 'text'] as const),
      ]),
      results: new Set(
        actingSteps([...steps, ...always]).flatMap((step) =>
          step.uses === 'command' && step.register !== undefined ? [step.register] : [],
        ),
      ),
    };
  }

  describe({ on, argv, env, stdin }: CommandSpec): ForecastCommand {
    return {
      on,
      argv: argv.map((text) => this.#word(text)),
      ...(env === undefined
        ? {}
        : {
            env: Object.fromEntries(Object.entries(env).map(([name, text]) => [name, this.#word(text)])),
          }),
      ...(stdin === undefined ? {} : { stdin: this.#word(stdin) }),
    };
  }

  #word(text: PlanText): Word {
    if (typeof text === 'string') return text;
    const { template, item } = text;
    const scope = { ...this.#scope, hasItem: item !== undefined };
    const parts = renderKnown(template, scope, { inputs: this.#values, item });
    return toWord(
      parts.map((part) => (typeof part === 'string' ? part : part.reads.map(lateHole).join(''))).join(''),
    );
  }
}
