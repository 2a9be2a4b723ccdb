import { type Finding, toDiagnostics, type ValidRecipe } from '../recipe/finding.ts';
import { code } from '../recipe/printable.ts';
import { RecipeError } from '../recipe/recipe-error.ts';
import { didYouMean, suggest } from '../recipe/suggest.ts';
import { checkValue, type ValueKind } from '../recipe/values.ts';
import type { TemplateValue } from '../template/filters.ts';

/**
 * The inputs of a recipe from `name=value` texts and its defaults.
 * @throws RecipeError INPUT_INVALID that names every input that is missing, unknown or wrong
 */
export function resolveInputs(
  recipe: ValidRecipe,
  given: readonly string[],
): ReadonlyMap<string, TemplateValue> {
  const declared = recipe.data.inputs ?? {};
  const names = Object.keys(declared);
  const { texts, findings, meant } = readTexts(given, names);
  const values = new Map<string, TemplateValue>();
  const missing: string[] = [];
  for (const [name, input] of Object.entries(declared)) {
    const text = texts.get(name);
    const value = text === undefined ? input.default : typed(text, input.type);
    if (value === undefined) {
      if (!meant.has(name)) missing.push(name);
      continue;
    }
    const problem = checkValue(`The input ${code(name)}`, input.type, value);
    if (problem) findings.push({ path: ['inputs', name], at: 'key', code: 'input', ...problem });
    else values.set(name, value);
  }
  if (missing.length > 0) findings.push(missingInputs(recipe, missing));
  const [first, ...rest] = toDiagnostics(recipe, findings);
  if (first) throw new RecipeError('INPUT_INVALID', [first, ...rest]);
  return values;
}

/** The texts by their names, what is wrong with them, and the names that were meant by those that are not known. */
function readTexts(
  given: readonly string[],
  names: readonly string[],
): { texts: ReadonlyMap<string, string>; findings: Finding[]; meant: ReadonlySet<string> } {
  const texts = new Map<string, string>();
  const findings: Finding[] = [];
  const meant = new Set<string>();
  const refuse = (message: string): number =>
    findings.push({ path: ['inputs'], at: 'key', code: 'input', message });
  for (const text of given) {
    const equals = text.indexOf('=');
    const name = equals === -1 ? text : text.slice(0, equals);
    if (equals === -1) refuse(`${code(text)} is not NAME=VALUE`);
    else if (texts.has(name)) refuse(`The input ${code(name)} is given twice`);
    else if (!names.includes(name))
      refuse(`There is no input ${code(name)}. ${didYouMean(name, names, 'inputs')}`);
    else texts.set(name, text.slice(equals + 1));
    meant.add(suggest(name, names) ?? name);
  }
  return { texts, findings, meant };
}

function missingInputs({ data: { inputs = {} } }: ValidRecipe, names: readonly string[]): Finding {
  const about = names.map((name) => {
    const { type, description } = inputs[name] ?? {};
    return description === undefined ? `${name}: ${type}` : `${name}: ${type}, ${description}`;
  });
  return {
    path: ['inputs'],
    at: 'key',
    code: 'input',
    message: `The recipe needs the input${names.length === 1 ? '' : 's'} ${names.map(code).join(', ')}`,
    hint: [`Add ${names.map((name) => `-i ${name}=…`).join(' ')}`, ...about].join('\n'),
  };
}

/** The text of the command line as the type of its input; text that does not fit stays text, for the check to refuse. */
function typed(text: string, kind: ValueKind): TemplateValue {
  if ((kind === 'int' || kind === 'pid') && /^-?\d{1,16}$/.test(text)) return Number(text);
  if (kind === 'bool' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}
