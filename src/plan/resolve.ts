import { renderTemplate } from '../template/render.ts';
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
  return renderTemplate(when.template, { ...values, item: when.item }) === true;
}

/** A command's arguments as a person may read them: what is not known yet, or is a secret, stands as its template. */
export function describeArgv(argv: readonly PlanText[]): string {
  return argv.map((text) => (typeof text === 'string' ? text : text.template)).join(' ');
}

function resolveText(text: PlanText, values: TemplateValues): string {
  if (typeof text === 'string') return text;
  return String(renderTemplate(text.template, { ...values, item: text.item }));
}

function resolveItems({ template, item }: Late, values: TemplateValues): readonly string[] {
  const yielded = renderTemplate(template, { ...values, item });
  return typeof yielded === 'object' ? yielded : [String(yielded)];
}
