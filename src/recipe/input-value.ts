import { matchesPattern, wholePattern } from '../template/pattern.ts';
import { code, show } from './printable.ts';
import type { Input } from './recipe.generated.ts';
import { didYouMean } from './suggest.ts';
import { checkValue, type ValueProblem } from './values.ts';

/** What an input says of its values. */
export type InputRule = Pick<Input, 'type' | 'values' | 'items' | 'pattern'>;

/**
 * Why a value is not one that an input takes.
 * @param name what the message calls it
 * @returns undefined when it takes it
 */
export function checkInput(name: string, rule: InputRule, value: unknown): ValueProblem | undefined {
  switch (rule.type) {
    case 'enum': {
      const values: readonly string[] = rule.values ?? [];
      if (typeof value === 'string' && values.includes(value)) return undefined;
      const hint = didYouMean(String(value), values, 'values');
      return { message: `${name} cannot be ${show(value)}`, hint };
    }
    case 'list': {
      if (!Array.isArray(value)) return checkValue(name, 'items', value);
      const items: readonly unknown[] = value;
      const item: InputRule = { ...rule, type: rule.items ?? 'string' };
      return items
        .map((each, index) => checkInput(`${name}[${index}]`, item, each))
        .find((problem) => problem !== undefined);
    }
    case 'secret':
      return checkValue(name, 'string', value);
    default:
      return checkValue(name, rule.type, value) ?? checkPattern(name, rule.pattern, value);
  }
}

function checkPattern(name: string, pattern: string | undefined, value: unknown): ValueProblem | undefined {
  if (pattern === undefined) return undefined;
  const isMatch = matchesPattern(wholePattern(pattern), String(value));
  if (isMatch === true) return undefined;
  return isMatch === undefined
    ? {
        message: `${name} takes too long to compare with its pattern ${code(pattern)}`,
        hint: 'Repetitions inside of repetitions, as in `(a+)+`, take time without end. Write it without.',
      }
    : { message: `${name} must match ${code(pattern)}, and ${show(value)} does not` };
}

/** YAML has made a number of what is meant as text: `1.10` would be 1.1. */
export function quoteProblem(name: string, { type }: InputRule, value: unknown): ValueProblem | undefined {
  const isNumber = type === 'int' || type === 'pid' || type === 'port';
  if (isNumber || (typeof value !== 'number' && !(Array.isArray(value) && value.some(isNumeric))))
    return undefined;
  return { message: `The input ${code(name)} must be text, not a number`, hint: 'Write it in quotes.' };
}

function isNumeric(value: unknown): boolean {
  return typeof value === 'number';
}
