import { FlowError } from '../errors/flow-error.ts';
import { createEnvironment, evaluate } from './environment.ts';
import type { TemplateValue } from './filters.ts';
import { inspectTemplate } from './gate.ts';
import { scopeOf, type TemplateValues } from './scope.ts';

/**
 * What a template becomes. A template that is exactly one expression keeps the type of its value: `{{ inputs.pid }}`
 * is a number.
 * @throws FlowError RECIPE_INVALID for a template that the gate refuses: there is no way around it
 */
export function renderTemplate(template: string, values: TemplateValues): TemplateValue {
  const { problems, form } = inspectTemplate(template, scopeOf(values));
  const problem = problems[0];
  if (problem)
    throw new FlowError('RECIPE_INVALID', problem.message, problem.hint ? { hint: problem.hint } : {});
  if (form === 'text') return template;
  const { inputs, results = new Map(), item } = values;
  const context = { inputs: bare(inputs), results: bare(results), ...(item === undefined ? {} : { item }) };
  if (form === 'expression') return evaluate(template.replace(/^\{\{-?/, '').replace(/-?\}\}$/, ''), context);
  return createEnvironment().renderString(template, context);
}

/** An object without a prototype, so that no name means more than itself. */
function bare(values: ReadonlyMap<string, unknown>): object {
  return Object.assign(Object.create(null), Object.fromEntries(values)) as object;
}
