import { renderTemplate } from '../template/render.ts';
import type { TemplateValue } from '../template/filters.ts';
import type { TemplateValues } from '../template/scope.ts';
import type { CommandSpec, Late, PlanText } from './plan.ts';

/** A command whose texts are all known. May hold secrets: never to be written down. */
export interface ResolvedCommand {
  readonly on: CommandSpec['on'];
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
}

/** A command with what is known only while the run runs. A list that an argument yields becomes arguments. */
export function resolveCommand(spec: CommandSpec, values: TemplateValues): ResolvedCommand {
  const env = Object.entries(spec.env ?? {}).map(([name, text]) => [name, resolveText(text, values)]);
  return {
    on: spec.on,
    argv: spec.argv.flatMap((text) => (typeof text === 'string' ? [text] : resolveItems(text, values))),
    env: Object.fromEntries(env) as Record<string, string>,
    stdin: spec.stdin === undefined ? '' : resolveText(spec.stdin, values),
  };
}

/** Whether a step is done. */
export function resolveCondition(when: false | Late | undefined, values: TemplateValues): boolean {
  if (typeof when !== 'object') return when !== false;
  return renderLate(when, values) === true;
}

/** A command's arguments as a person may read them: what is not known yet, or is a secret, stands as its template. */
export function describeArgv(argv: readonly PlanText[]): string {
  return argv.map((text) => (typeof text === 'string' ? text : text.template)).join(' ');
}

function resolveText(text: PlanText, values: TemplateValues): string {
  if (typeof text === 'string') return text;
  return String(renderLate(text, values));
}

function resolveItems(late: Late, values: TemplateValues): readonly string[] {
  const yielded = renderLate(late, values);
  return typeof yielded === 'object' ? yielded : [String(yielded)];
}

function renderLate(
  { template, item, scope }: Late,
  { inputs, results = new Map() }: TemplateValues,
): TemplateValue {
  const seen =
    scope === undefined
      ? { inputs, results }
      : { inputs: within(scope, inputs), results: within(scope, results) };
  return renderTemplate(template, { ...seen, item });
}

/** What a recipe that is used sees, by the names that it knows. */
function within<Value>(scope: string, values: ReadonlyMap<string, Value>): ReadonlyMap<string, Value> {
  const own = [...values].filter(([name]) => name.startsWith(`${scope}/`));
  return new Map(own.map(([name, value]) => [name.slice(scope.length + 1), value]));
}
