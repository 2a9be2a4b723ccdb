import { isAbsolute } from 'node:path';
import type { Diagnostic } from '../recipe/diagnostic.ts';
import { type Finding, toDiagnostics, type ValidRecipe } from '../recipe/finding.ts';
import { checkInput, quoteProblem } from '../recipe/input-value.ts';
import { code } from '../recipe/printable.ts';
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
  /** Asks a person; undefined where there is none. */
  readonly ask?: AskInput | undefined;
}

/** A question for one input; after an answer that will not do, with what is wrong with it. */
export type AskInput = (question: {
  readonly name: string;
  readonly input: Input;
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
export async function resolveInputs(recipe: ValidRecipe, sources: InputSources): Promise<ResolvedInputs> {
  const resolver = new InputResolver(recipe, sources);
  return resolver.resolve();
}

type Found = { readonly value: unknown; readonly problem?: never } | { readonly problem: ValueProblem };

class InputResolver {
  readonly #recipe: ValidRecipe;
  readonly #sources: InputSources;
  readonly #declared: Readonly<Record<string, Input>>;
  readonly #findings: Finding[] = [];
  readonly #diagnostics: Diagnostic[] = [];

  constructor(recipe: ValidRecipe, sources: InputSources) {
    this.#recipe = recipe;
    this.#sources = sources;
    this.#declared = recipe.data.inputs ?? {};
  }

  async resolve(): Promise<ResolvedInputs> {
    const { texts, meant } = this.#readGiven();
    const fromFiles = this.#readFiles();
    const values = new Map<string, TemplateValue>();
    const secrets: Record<string, SecretSource> = {};
    const missing: string[] = [];
    for (const [name, input] of Object.entries(this.#declared)) {
      const found = this.#find(name, input, texts.get(name), fromFiles);
      if (found?.problem) {
        this.#findings.push({ path: ['inputs', name], at: 'key', code: 'input', ...found.problem });
      } else if (found && input.type === 'secret') {
        secrets[name] = found.value as SecretSource;
      } else if (found) {
        values.set(name, found.value as TemplateValue);
      } else if (!meant.has(name)) {
        missing.push(name);
      }
    }
    // Whoever has made a mistake corrects it first.
    if (this.#findings.length === 0 && this.#diagnostics.length === 0 && missing.length > 0) {
      await this.#ask(missing, values);
    } else if (missing.length > 0) {
      this.#findings.push(missingInputs(this.#declared, missing));
    }
    const [first, ...others] = [...this.#diagnostics, ...toDiagnostics(this.#recipe, this.#findings)];
    if (first) throw new RecipeError('INPUT_INVALID', [first, ...others]);
    return { values, secrets };
  }

  /** Asks for what is missing, until each answer will do. A secret is not asked for: nobody could resume the run. */
  async #ask(missing: readonly string[], values: Map<string, TemplateValue>): Promise<void> {
    const { ask } = this.#sources;
    const askable = missing.filter((name) => this.#declared[name]?.type !== 'secret');
    if (!ask || askable.length < missing.length) {
      this.#findings.push(missingInputs(this.#declared, missing));
      return;
    }
    for (const name of askable) {
      const input = this.#declared[name];
      if (!input) continue;
      let problem: ValueProblem | undefined;
      do {
        const value = typed([await ask({ name, input, problem })], input);
        problem = checkInput(`The input ${code(name)}`, input, value);
        if (!problem) values.set(name, value);
      } while (problem);
    }
  }

  /** @returns undefined for what no source has */
  #find(
    name: string,
    input: Input,
    texts: readonly string[] | undefined,
    fromFiles: ReadonlyMap<string, unknown>,
  ): Found | undefined {
    const variable = environmentName(name);
    const fromEnvironment = this.#sources.environment[variable];
    if (input.type === 'secret') {
      const text = texts?.at(-1) ?? fromFiles.get(name);
      if (text !== undefined) return secretSource(name, text);
      if (fromEnvironment !== undefined) return { value: { env: variable } };
      return input.from === undefined ? undefined : { value: declaredSource(input.from) };
    }
    let value: unknown = input.default;
    if (texts !== undefined) value = typed(texts, input);
    else if (fromFiles.has(name)) value = fromFiles.get(name);
    else if (fromEnvironment !== undefined) value = typed(linesOf(fromEnvironment, input), input);
    if (value === undefined) return undefined;
    const problem = checkInput(`The input ${code(name)}`, input, value) ?? quoteProblem(name, input, value);
    return problem ? { problem } : { value };
  }

  /** The texts of `-i` by their names, and the names that were meant by those that are not known. */
  #readGiven(): {
    readonly texts: ReadonlyMap<string, readonly string[]>;
    readonly meant: ReadonlySet<string>;
  } {
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

  #readFiles(): ReadonlyMap<string, unknown> {
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

function missingInputs(inputs: Readonly<Record<string, Input>>, names: readonly string[]): Finding {
  const about = names.map((name) => {
    const { type, description, values } = inputs[name] ?? {};
    const kind = values === undefined ? type : values.join(' or ');
    return description === undefined ? `${name}: ${kind}` : `${name}: ${kind}, ${description}`;
  });
  const give = names.map((name) => `-i ${name}=${inputs[name]?.type === 'secret' ? 'env:NAME' : '…'}`);
  return {
    path: ['inputs'],
    at: 'key',
    code: 'input',
    message: `The recipe needs the input${names.length === 1 ? '' : 's'} ${names.map(code).join(', ')}`,
    hint: [`Add ${give.join(' ')}`, ...about].join('\n'),
  };
}

/** Texts as the type of their input; what does not fit stays text, for the check to refuse. */
export function typed(texts: readonly string[], { type }: Input): TemplateValue {
  const text = texts.at(-1) ?? '';
  if (type === 'list') return texts;
  if ((type === 'int' || type === 'pid' || type === 'port') && /^-?\d{1,16}$/.test(text)) return Number(text);
  if (type === 'bool' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}
