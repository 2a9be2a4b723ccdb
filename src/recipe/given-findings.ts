import { inspectTemplate } from '../template/gate.ts';
import type { TemplateScope } from '../template/scope.ts';
import type { Finding, RecipeSteps, UsedRecipe } from './finding.ts';
import { checkInput, quoteProblem } from './input-value.ts';
import type { Path } from './path.ts';
import { code } from './printable.ts';
import type { GivenInputs, Input } from './recipe.generated.ts';
import { didYouMean, suggest } from './suggest.ts';
import { inputTypes } from './template-findings.ts';
import { walkSteps } from './walk-steps.ts';

/** Whether the recipes that a recipe uses get the inputs that they take. */
export function givenFindings({ data, used }: Pick<UsedRecipe, 'data' | 'used'>): readonly Finding[] {
  return [...walkSteps(data)].flatMap(({ step, path }) => {
    const recipe = used.get(step);
    if (step.uses !== 'recipe' || !recipe) return [];
    const at = [...path, 'with'];
    return useFindings(
      { used: recipe, given: step.with.inputs, path: at, place: { path: at, at: 'key' } },
      data,
    );
  });
}

/** A recipe that another one uses, and what it gives to it. */
export interface Use {
  readonly used: UsedRecipe;
  readonly given: GivenInputs | undefined;
  /** Where the mapping is whose `inputs` they are. */
  readonly path: Path;
  /** Where an input is missed. */
  readonly place: Pick<Finding, 'path' | 'at'>;
}

/** Whether a recipe gets the inputs that it takes. @param data of the recipe that gives them */
export function useFindings({ used, given = {}, path, place }: Use, data: RecipeSteps): Finding[] {
  const declared = used.data.inputs ?? {};
  const names = Object.keys(declared);
  const secrets = Object.entries(data.inputs ?? {}).flatMap(([name, { type }]) =>
    type === 'secret' ? [name] : [],
  );
  const reader: Reader = { scope: { inputs: inputTypes(data), results: new Set(), hasItem: true }, secrets };
  const meant = new Set(Object.keys(given).map((name) => suggest(name, names) ?? name));
  const missing = Object.entries(declared).flatMap(([name, input]) =>
    isGiven(input) || meant.has(name) ? [] : [name],
  );
  const findings: Finding[] = Object.entries(given).flatMap(([name, value]) => {
    const at = [...path, 'inputs', name];
    const input = declared[name];
    if (!input) {
      const message = `${code(used.data.name)} has no input ${code(name)}`;
      return [{ path: at, at: 'key', code: 'input', message, hint: didYouMean(name, names, 'inputs') }];
    }
    return valueFindingsOf(name, input, value, at, reader);
  });
  if (missing.length === 0) return findings;
  const message = `${code(used.data.name)} needs the input${missing.length === 1 ? '' : 's'} ${missing.map(code).join(', ')}`;
  const hint = missing.map((name) => {
    const { description, type, setting } = declared[name] ?? {};
    const ofInventory =
      'an inventory sets it for a host: declare it here with that `setting`, and hand it on';
    return [`${name}: ${description ?? type}`, ...(setting ? [ofInventory] : [])].join('; ');
  });
  return [...findings, { ...place, code: 'input', message, hint: hint.join('\n') }];
}

/** The input that a template is, and is nothing else. */
export function givenInput(template: string): string | undefined {
  return /^\s*\{\{\s*inputs\s*\.\s*(\w+)\s*\}\}\s*$/.exec(template)?.[1];
}

/**
 * Whether it has a value when nobody gives one. What an inventory sets for a host goes before the default, and by what ssh(1) is
 * given no inventory knows a host.
 */
function isGiven({ default: value, from, setting }: Input): boolean {
  return (value !== undefined || from !== undefined) && setting === undefined;
}

/** The recipe whose templates give the inputs. */
interface Reader {
  readonly scope: TemplateScope;
  readonly secrets: readonly string[];
}

function valueFindingsOf(
  name: string,
  input: Input,
  value: unknown,
  path: Path,
  { scope, secrets }: Reader,
): Finding[] {
  const finding = (message: string, hint: string): Finding[] => [
    { path, at: 'value', code: 'input', message, hint },
  ];
  if (typeof value !== 'string') {
    // Items of a list may be templates: they are looked at when they are rendered.
    if (Array.isArray(value) && input.type === 'list') return [];
    const problem = checkInput(`The input ${code(name)}`, input, value) ?? quoteProblem(name, input, value);
    return problem
      ? [{ path, at: 'value', code: 'input', ...problem, isSecret: input.type === 'secret' }]
      : [];
  }
  const { form, inputs, problems } = inspectTemplate(value, scope);
  // Told of already.
  if (problems.length > 0) return [];
  const secret = inputs.find((each) => secrets.includes(each));
  if (input.type === 'secret') {
    if (secret !== undefined && givenInput(value) === secret) return [];
    const message = `The input ${code(name)} is a secret, and takes nothing but another one`;
    const hint = 'Give it a secret of this recipe: "{{ inputs.token }}".';
    return [{ path, at: 'value', code: 'input', message, hint, isSecret: true }];
  }
  if (secret !== undefined) {
    const message = `The input ${code(name)} is no secret: others could read ${code(secret)} there`;
    return finding(message, 'Give that input the type `secret` in the recipe that is used.');
  }
  const problem = form === 'text' ? checkInput(`The input ${code(name)}`, input, value) : undefined;
  return problem ? [{ path, at: 'value', code: 'input', ...problem }] : [];
}
