import { isAbsolute } from 'node:path';
import type { Diagnostic } from '../recipe/diagnostic.ts';
import { type Finding, type RecipeSteps, toDiagnostics, type ValidRecipe } from '../recipe/finding.ts';
import { checkInput, quoteProblem } from '../recipe/input-value.ts';
import { code } from '../recipe/printable.ts';
import { hostProblem, hostsOf, isOfHosts } from '../recipe/inventory-findings.ts';
import type { Inventory } from '../recipe/inventory.ts';
import type { InputsFile } from '../recipe/read-inputs.ts';
import { RecipeError } from '../recipe/recipe-error.ts';
import type { Input, SecretSource as RecipeSecretSource } from '../recipe/recipe.generated.ts';
import { didYouMean, suggest } from '../recipe/suggest.ts';
import type { ValueProblem } from '../recipe/values.ts';
import type { TemplateValue } from '../template/filters.ts';
import type { SecretSource } from './plan.ts';

/** Where inputs come from; the first that has one counts. What none has is the recipe's default, or is asked for. */
export interface InputSources {
  /** `name=value`, as `-i` gives them; more than one for a list. */
  readonly given: readonly string[];
  /** Of files the last that has one. */
  readonly files: readonly InputsFile[];
  /** Has it as `CRIU_FLOW_INPUT_NAME`: `pidFile` as `CRIU_FLOW_INPUT_PID_FILE`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The hosts by whose names inputs take them. */
  readonly inventory?: Inventory | undefined;
  /** Asks a person; undefined where there is none. */
  readonly ask?: AskInput | undefined;
}

/** A question for one input; after an answer that will not do, with what is wrong with it. */
export type AskInput = (question: {
  readonly name: string;
  readonly input: Input;
  /** What it takes, where that is a few values. */
  readonly choices: readonly string[] | undefined;
  readonly problem: ValueProblem | undefined;
}) => Promise<string>;

export interface ResolvedInputs {
  /** Of all inputs but secrets. */
  readonly values: ReadonlyMap<string, TemplateValue>;
  readonly secrets: Readonly<Record<string, SecretSource>>;
}

/**
 * The inputs of a recipe.
 * @throws RecipeError INPUT_INVALID that names every input that is missing, unknown or wrong
 */
export async function resolveInputs(
  recipe: ValidRecipe<RecipeSteps>,
  sources: InputSources,
): Promise<ResolvedInputs> {
  const resolver = new InputResolver(recipe, sources);
  return resolver.resolve();
}

type Found = { readonly value: unknown; readonly problem?: never } | { readonly problem: ValueProblem };

interface Given {
  readonly texts: ReadonlyMap<string, readonly string[]>;
  readonly meant: ReadonlySet<string>;
}

type FromFiles = ReadonlyMap<string, unknown>;

class InputResolver {
  readonly #recipe: ValidRecipe<RecipeSteps>;
  readonly #sources: InputSources;
  readonly #declared: Readonly<Record<string, Input>>;
  readonly #findings: Finding[] = [];
  readonly #diagnostics: Diagnostic[] = [];
  readonly #values = new Map<string, TemplateValue>();
  readonly #secrets: Record<string, SecretSource> = {};
  /** The names in the inventory of the hosts that inputs name. */
  readonly #hosts = new Map<string, string>();

  constructor(recipe: ValidRecipe<RecipeSteps>, sources: InputSources) {
    this.#recipe = recipe;
    this.#sources = sources;
    this.#declared = recipe.data.inputs ?? {};
  }

  async resolve(): Promise<ResolvedInputs> {
    const given = this.#readGiven();
    const fromFiles = this.#readFiles();
    const inputs = Object.entries(this.#declared);
    // What is set for a host is known once the host is.
    for (const hasSetting of [false, true]) {
      const some = inputs.filter(([, { setting }]) => (setting !== undefined) === hasSetting);
      await this.#settle(some, given, fromFiles);
    }
    const [first, ...others] = [...this.#diagnostics, ...toDiagnostics(this.#recipe, this.#findings)];
    if (first) throw new RecipeError('INPUT_INVALID', [first, ...others]);
    return { values: this.#values, secrets: this.#secrets };
  }

  /** Finds the values of some inputs, and asks for those that no source has. */
  async #settle(
    inputs: readonly (readonly [string, Input])[],
    { texts, meant }: Given,
    fromFiles: FromFiles,
  ): Promise<void> {
    const missing: string[] = [];
    for (const [name, input] of inputs) {
      const found = this.#find(name, input, texts.get(name), fromFiles);
      if (found?.problem) {
        this.#refuse(name, found.problem);
      } else if (found && input.type === 'secret') {
        this.#secrets[name] = found.value as SecretSource;
      } else if (found) {
        this.#values.set(name, found.value as TemplateValue);
      } else if (!meant.has(name) && (input.setting === undefined || this.#values.has(input.setting.of))) {
        missing.push(name);
      }
    }
    if (missing.length === 0) return;
    // Whoever has made a mistake corrects it first.
    if (this.#findings.length === 0 && this.#diagnostics.length === 0) await this.#ask(missing);
    else this.#findings.push(this.#missingInputs(missing));
  }

  #refuse(name: string, problem: ValueProblem): void {
    this.#findings.push({ path: ['inputs', name], at: 'key', code: 'input', ...problem });
  }

  /** Asks for what is missing, until each answer will do. A secret is not asked for: nobody could resume the run. */
  async #ask(missing: readonly string[]): Promise<void> {
    const { ask } = this.#sources;
    const askable = missing.filter((name) => this.#declared[name]?.type !== 'secret');
    if (!ask || askable.length < missing.length) {
      this.#findings.push(this.#missingInputs(missing));
      return;
    }
    for (const name of askable) {
      const input = this.#declared[name];
      if (!input) continue;
      const choices = input.values ?? this.#hostsFor(input);
      let problem: ValueProblem | undefined;
      do {
        const found = this.#check(name, input, typed([await ask({ name, input, choices, problem })], input));
        ({ problem } = found);
        if (!found.problem) this.#values.set(name, found.value as TemplateValue);
      } while (problem);
    }
  }

  #missingInputs(names: readonly string[]): Finding {
    const inputs = names.map((name) => ({ name, input: this.#declared[name] }));
    const give = inputs.map(({ name, input }) => `-i ${name}=${input?.type === 'secret' ? 'env:NAME' : '…'}`);
    const about = inputs.map(({ name, input }) =>
      [
        `${name}: ${(input?.values ?? (input && this.#hostsFor(input)))?.join(' or ') ?? input?.type}`,
        ...(input?.description === undefined ? [] : [input.description]),
        ...(input ? this.#whyNotSet(input) : []),
      ].join(', '),
    );
    return {
      path: ['inputs'],
      at: 'key',
      code: 'input',
      message: `The recipe needs the input${names.length === 1 ? '' : 's'} ${names.map(code).join(', ')}`,
      hint: [`Add ${give.join(' ')}`, ...about].join('\n'),
    };
  }

  #whyNotSet({ setting }: Input): readonly string[] {
    if (setting === undefined) return [];
    const { inventory } = this.#sources;
    return inventory === undefined
      ? ['which an inventory would set: --inventory hosts.yaml']
      : [`and ${inventory.file} does not set ${code(setting.name)} for ${this.#hosts.get(setting.of)}`];
  }

  /** @returns undefined for what no source has */
  #find(
    name: string,
    input: Input,
    texts: readonly string[] | undefined,
    fromFiles: FromFiles,
  ): Found | undefined {
    const variable = environmentName(name);
    const fromEnvironment = this.#sources.environment[variable];
    if (input.type === 'secret') {
      const text = texts?.at(-1) ?? fromFiles.get(name);
      if (text !== undefined) return secretSource(name, text);
      if (fromEnvironment !== undefined) return { value: { env: variable } };
      return input.from === undefined ? undefined : { value: declaredSource(input.from) };
    }
    if (texts !== undefined) return this.#checkGiven(name, input, typed(texts, input));
    if (fromFiles.has(name)) return this.#checkGiven(name, input, fromFiles.get(name));
    if (fromEnvironment !== undefined)
      return this.#checkGiven(name, input, typed(linesOf(fromEnvironment, input), input));
    const set = input.setting && this.#settingOf(name, input, input.setting);
    if (set || input.default === undefined) return set;
    return this.#checkGiven(name, input, input.default);
  }

  #checkGiven(name: string, input: Input, value: unknown): Found {
    const found = this.#check(name, input, value);
    const problem = found.problem ?? quoteProblem(name, input, value);
    return problem ? { problem } : found;
  }

  /** A value that its input takes; of a host, how ssh(1) names it. */
  #check(name: string, input: Input, value: unknown): Found {
    const where = `The input ${code(name)}`;
    const problem = checkInput(where, input, value);
    if (problem) return { problem };
    return isOfHosts(input) ? this.#hostOf(name, input, [value].flat().map(String)) : { value };
  }

  #hostsFor(input: Input): readonly string[] | undefined {
    const { inventory } = this.#sources;
    return inventory && isOfHosts(input) ? hostsOf(input.group, inventory) : undefined;
  }

  #hostOf(name: string, { type, group }: Input, names: readonly string[]): Found {
    const { inventory } = this.#sources;
    if (!inventory && group !== undefined) {
      const message = `The input ${code(name)} takes hosts of the group ${code(group)}, and no inventory says which they are`;
      return {
        problem: {
          message,
          hint: 'Name it: --inventory hosts.yaml, or `inventory: ./hosts.yaml` in the recipe.',
        },
      };
    }
    const ssh: string[] = [];
    for (const host of names) {
      const problem = inventory && hostProblem(`The input ${code(name)}`, group, host, inventory);
      if (problem) return { problem };
      ssh.push(inventory?.hosts.get(host)?.ssh ?? host);
    }
    if (type === 'host') this.#hosts.set(name, names[0] ?? '');
    return { value: type === 'list' ? ssh : ssh[0] };
  }

  /** What the inventory sets for the host that another input names. */
  #settingOf(name: string, input: Input, setting: NonNullable<Input['setting']>): Found | undefined {
    const { inventory } = this.#sources;
    const host = this.#hosts.get(setting.of) ?? '';
    const value = inventory?.hosts.get(host)?.settings.get(setting.name);
    if (inventory === undefined || value === undefined) return undefined;
    const found = this.#checkGiven(name, input, value);
    if (!found.problem) return found;
    const origin = `${inventory.file} sets it for ${host}, as ${code(setting.name)}.`;
    const hint = [found.problem.hint, origin].filter((line) => line !== undefined).join('\n');
    return { problem: { ...found.problem, hint } };
  }

  /** The texts of `-i` by their names, and the names that were meant by those that are not known. */
  #readGiven(): Given {
    const names = Object.keys(this.#declared);
    const texts = new Map<string, readonly string[]>();
    const meant = new Set<string>();
    const refuse = (message: string): number =>
      this.#findings.push({ path: ['inputs'], at: 'key', code: 'input', message });
    for (const text of this.#sources.given) {
      const equals = text.indexOf('=');
      const name = equals === -1 ? text : text.slice(0, equals);
      const before = texts.get(name);
      if (equals === -1) refuse(`${code(text)} is not NAME=VALUE`);
      else if (!names.includes(name))
        refuse(`There is no input ${code(name)}. ${didYouMean(name, names, 'inputs')}`);
      else if (before && this.#declared[name]?.type !== 'list')
        refuse(`The input ${code(name)} is given twice`);
      else texts.set(name, [...(before ?? []), text.slice(equals + 1)]);
      meant.add(suggest(name, names) ?? name);
    }
    return { texts, meant };
  }

  #readFiles(): FromFiles {
    const names = Object.keys(this.#declared);
    const values = new Map<string, unknown>();
    for (const file of this.#sources.files) {
      const findings = Object.keys(file.data)
        .filter((name) => !names.includes(name))
        .map((name): Finding => {
          const message = `There is no input ${code(name)}`;
          const hint = didYouMean(name, names, 'inputs');
          return { path: [name], at: 'key', code: 'input', message, hint };
        });
      this.#diagnostics.push(...toDiagnostics(file, findings));
      for (const [name, value] of Object.entries(file.data)) values.set(name, value);
    }
    return values;
  }
}

/** The variable that holds an input: its words in capitals, with underscores between them. */
function environmentName(input: string): string {
  return `CRIU_FLOW_INPUT_${input.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase()}`;
}

/** A list has one item on each line. */
function linesOf(text: string, { type }: Input): readonly string[] {
  return type === 'list' ? text.split('\n').filter((line) => line !== '') : [text];
}

/** What is wrong with a secret's text is said without the text. */
function secretSource(name: string, text: unknown): Found {
  const [, kind, rest = ''] = typeof text === 'string' ? (/^(env|file):(.+)$/s.exec(text) ?? []) : [];
  if (kind === 'env' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(rest)) return { value: { env: rest } };
  if (kind === 'file' && isAbsolute(rest)) return { value: { file: rest } };
  return {
    problem: {
      message: `The input ${code(name)} is a secret: its value cannot be given here, where others can read it`,
      hint: `Say where it is: ${name}=env:NAME for a variable, ${name}=file:/path for a file.`,
    },
  };
}

/** Where a recipe itself says that a secret is. */
export function declaredSource({ env, file, command }: RecipeSecretSource): SecretSource {
  if (env !== undefined) return { env };
  if (file !== undefined) return { file };
  if (command === undefined) throw new Error('the schema lets no other source through');
  return { command };
}

/** Texts as the type of their input; what does not fit stays text, for the check to refuse. */
export function typed(texts: readonly string[], { type }: Input): TemplateValue {
  const text = texts.at(-1) ?? '';
  if (type === 'list') return texts;
  if ((type === 'int' || type === 'pid' || type === 'port') && /^-?\d{1,16}$/.test(text)) return Number(text);
  if (type === 'bool' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}
