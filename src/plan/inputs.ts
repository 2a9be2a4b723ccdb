import { didYouMean } from '../recipe/suggest.ts';
import type { ValidRecipe } from '../recipe/finding.ts';
import { code } from '../recipe/printable.ts';
import { checkValue, type ValueKind } from '../recipe/values.ts';
import type { TemplateValue } from '../template/filters.ts';
import { FlowError } from '../errors/flow-error.ts';

/**
 * The inputs of a recipe from `name=value` texts and its defaults.
 * @throws FlowError INPUT_INVALID that names every input that is missing, unknown or wrong
 */
export function resolveInputs(
  { data: recipe, source }: ValidRecipe,
  given: readonly string[],
): ReadonlyMap<string, TemplateValue> {
  const declared = Object.entries(recipe.inputs ?? {});
  const names = declared.map(([name]) => name);
  const problems: string[] = [];
  const texts = new Map<string, string>();
  for (const text of given) {
    const equals = text.indexOf('=');
    const name = equals === -1 ? text : text.slice(0, equals);
    if (equals === -1) problems.push(`${code(text)} is not NAME=VALUE`);
    else if (!names.includes(name)) {
      problems.push(`there is no input ${code(name)}. ${didYouMean(name, names, 'inputs')}`);
    } else if (texts.has(name)) problems.push(`the input ${code(name)} is given twice`);
    else texts.set(name, text.slice(equals + 1));
  }
  const values = new Map<string, TemplateValue>();
  const missing: string[] = [];
  for (const [name, input] of declared) {
    const text = texts.get(name);
    const value = text === undefined ? input.default : typed(text, input.type);
    if (value === undefined) {
      missing.push(name);
      const about = input.description === undefined ? '' : `: ${input.description}`;
      problems.push(`the input ${code(name)} (${input.type}) is missing${about}`);
      continue;
    }
    const problem = checkValue(`the input ${code(name)}`, input.type, value);
    if (problem)
      problems.push(problem.hint === undefined ? problem.message : `${problem.message}. ${problem.hint}`);
    else values.set(name, value);
  }
  const [first, ...more] = problems;
  if (first === undefined) return values;
  throw new FlowError('INPUT_INVALID', upperFirst(first), {
    location: { file: source.name, line: 1, column: 1 },
    ...(more.length > 0 ? { evidence: more.map(upperFirst).join('\n') } : {}),
    hint:
      missing.length > 0
        ? `Add ${missing.map((name) => `-i ${name}=…`).join(' ')}`
        : `The recipe takes ${names.join(', ') || 'no inputs'}.`,
  });
}

/** The text of the command line as the type of its input; text that does not fit stays text, for the check to refuse. */
function typed(text: string, kind: ValueKind): TemplateValue {
  if ((kind === 'int' || kind === 'pid') && /^-?\d{1,16}$/.test(text)) return Number(text);
  if (kind === 'bool' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
