import { FlowError } from '../errors/flow-error.ts';
import { evaluate } from './evaluate.ts';
import type { TemplateValue } from './filters.ts';
import { type GateResult, inspectTemplate } from './gate.ts';
import { scopeOf, type TemplateValues } from './scope.ts';

/**
 * What a template becomes. A template that is exactly one expression keeps the type of its value: `{{ inputs.pid }}`
 * is a number.
 * @throws FlowError RECIPE_INVALID for a template that the gate refuses: there is no way around it
 */
export function renderTemplate(template: string, values: TemplateValues): TemplateValue {
  return renderInspected(inspectTemplate(template, scopeOf(values)), values);
}

/**
 * The same for a template that was looked at already.
 * @param values of all that the scope had in which it was looked at
 */
export function renderInspected(
  { problems, form, parts }: GateResult,
  values: TemplateValues,
): TemplateValue {
  const [problem] = problems;
  if (problem)
    throw new FlowError('RECIPE_INVALID', problem.message, problem.hint ? { hint: problem.hint } : {});
  const yielded = parts.map((part) => evaluate(part, values));
  return form === 'expression' && yielded[0] !== undefined ? yielded[0] : yielded.join('');
}
