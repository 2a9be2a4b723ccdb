import { FlowError } from '../errors/flow-error.ts';
import { createEnvironment, evaluate } from './environment.ts';
import type { TemplateValue } from './filters.ts';
import { inspectTemplate } from './gate.ts';

/**
 * What a template becomes. A template that is exactly one expression keeps the type of its value: `{{ inputs.pid }}`
 * is a number.
 * @throws FlowError RECIPE_INVALID for a template that the gate refuses: there is no way around it
 */
export function renderTemplate(template: string, inputs: ReadonlyMap<string, TemplateValue>): TemplateValue {
  const { problems, form } = inspectTemplate(template, [...inputs.keys()]);
  const problem = problems[0];
  if (problem)
    throw new FlowError('RECIPE_INVALID', problem.message, problem.hint ? { hint: problem.hint } : {});
  if (form === 'text') return template;
  const context = { inputs: Object.assign(Object.create(null), Object.fromEntries(inputs)) as object };
  if (form === 'expression') return evaluate(template.replace(/^\{\{-?/, '').replace(/-?\}\}$/, ''), context);
  return createEnvironment().renderString(template, context);
}
