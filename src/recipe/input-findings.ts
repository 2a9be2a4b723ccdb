import { isPattern } from '../template/pattern.ts';
import type { Finding } from './finding.ts';
import { checkInput } from './input-value.ts';
import { isOfHosts } from './inventory-findings.ts';
import { code } from './printable.ts';
import type { Input, Recipe } from './recipe.generated.ts';
import { didYouMean } from './suggest.ts';

/** Inputs whose keys do not fit each other, and defaults that their inputs would refuse. */
export function inputFindings({ inputs = {} }: Pick<Recipe, 'inputs'>): Finding[] {
  return Object.entries(inputs).flatMap(([name, input]) => {
    const finding = misfit(name, input) ?? settingMisfit(name, input, inputs);
    return finding ? [finding] : [];
  });
}

/** What steps that others use cannot say of their inputs: whoever uses them gives these. */
export function givenInputFindings({ inputs = {} }: Pick<Recipe, 'inputs'>): Finding[] {
  return Object.entries(inputs).flatMap(([name, input]) =>
    (['group', 'setting'] as const)
      .filter((key) => key in input)
      .map((key): Finding => {
        const message = `Steps that other recipes use have no inventory, and ${code(key)} is of one`;
        const hint = 'Take it out: the recipe that uses them says it of an input of its own, and gives that.';
        return { path: ['inputs', name, key], at: 'key', code: 'input', message, hint };
      }),
  );
}

function settingMisfit(
  name: string,
  { setting, type }: Input,
  inputs: Readonly<Record<string, Input>>,
): Finding | undefined {
  if (setting === undefined) return undefined;
  const path = ['inputs', name, 'setting'];
  if (type === 'secret') {
    const message = 'A secret cannot stand in an inventory';
    return { path, at: 'key', code: 'input', message, hint: 'Say where it is: `from: { env: NAME }`.' };
  }
  const of = inputs[setting.of];
  const isOwn = Object.hasOwn(inputs, setting.of);
  if (isOwn && of?.type === 'host' && of.setting === undefined) return undefined;
  const hosts = Object.keys(inputs).filter((each) => inputs[each]?.type === 'host' && !inputs[each].setting);
  const message = isOwn
    ? `${code(setting.of)} is no input that names a host`
    : `There is no input ${code(setting.of)}`;
  const hint =
    hosts.length === 0
      ? 'Declare it: `source: { type: host }`.'
      : didYouMean(setting.of, hosts, 'inputs of the type `host`');
  return { path: [...path, 'of'], at: 'value', code: 'input', message, hint };
}

/** The keys that only inputs of one type have. */
const OF_TYPE = { values: 'enum', items: 'list', from: 'secret' } as const;

function misfit(name: string, input: Input): Finding | undefined {
  const path = ['inputs', name];
  for (const [key, type] of Object.entries(OF_TYPE)) {
    if (!(key in input) || input.type === type) continue;
    const message = `${code(key)} is for inputs of the type \`${type}\`, and ${code(name)} is \`${input.type}\``;
    return { path: [...path, key], at: 'key', code: 'input', message, hint: 'Take it out.' };
  }
  if (input.group !== undefined && !isOfHosts(input)) {
    const message = `\`group\` is for inputs of the type \`host\`, and ${code(name)} is \`${input.type}\``;
    return { path: [...path, 'group'], at: 'key', code: 'input', message, hint: 'Take it out.' };
  }
  if (input.type === 'enum' && input.values === undefined) {
    const hint = 'Write the values that it takes: `values: [fast, careful]`.';
    return { path, at: 'key', code: 'input', message: `${code(name)} needs \`values\``, hint };
  }
  if (input.type === 'secret' && input.default !== undefined) {
    const message = 'A secret cannot stand in a recipe';
    const hint = 'Say where it is: `from: { env: NAME }`, `{ file: /path }` or `{ command: [argv] }`.';
    return { path: [...path, 'default'], at: 'key', code: 'input', message, hint, isSecret: true };
  }
  if (input.pattern !== undefined && !isPattern(input.pattern)) {
    const message = `${code(input.pattern)} is not a regular expression`;
    const hint = 'It is one of JavaScript, with the flag `u`; a backslash in double quotes is written twice.';
    return { path: [...path, 'pattern'], at: 'value', code: 'input', message, hint };
  }
  if (input.default === undefined) return undefined;
  const problem = checkInput(`The default of ${code(name)}`, input, input.default);
  return problem && { path: [...path, 'default'], at: 'value', code: 'wrong-value', ...problem };
}
