import { ERRORS, EXIT_CODES } from '../errors/catalogue.ts';
import { FlowError } from '../errors/flow-error.ts';
import { code } from '../recipe/printable.ts';
import { FINDINGS } from '../preflight/catalogue.ts';
import { FINDING_CODES } from '../preflight/finding.ts';
import { type RecipeSchema, readRecipeSchema, type SchemaNode } from '../recipe/recipe-schema.ts';
import { suggest } from '../recipe/suggest.ts';
import type { ErrorPage, ExitCodePage, FindingPage, InputTypePage, KeyPage, Page } from './page.ts';
import { type RecipeKey, recipeKeys, stepsOf } from './recipe-keys.ts';
import { wrapText } from './wrap-text.ts';

/** Words of one kind that can be explained, each with a line about it. */
export interface Topics {
  readonly title: string;
  readonly words: readonly { readonly name: string; readonly about: string }[];
}

/** Everything that can be explained, by what it is. */
export function topics(): readonly Topics[] {
  const schema = readRecipeSchema();
  return [
    {
      title: 'steps',
      words: [...stepsOf(schema, 'step')].map(([name, { description = '' }]) => ({
        name,
        about: description,
      })),
    },
    {
      title: 'input types',
      words: inputTypes(schema).map(({ name, description }) => ({ name, about: description })),
    },
    { title: 'findings of preflight', words: findings().map(({ name, means }) => ({ name, about: means })) },
    { title: 'errors', words: errors().map(({ name, means }) => ({ name, about: means })) },
    { title: 'exit codes', words: exitCodes().map(({ name, means }) => ({ name, about: means })) },
    { title: 'recipe keys', words: keyTopics(schema) },
  ];
}

/** What there is to say of a word, and the keys of a recipe that have the same name. */
export interface Explanation {
  readonly pages: readonly Page[];
  /** What to ask for to have the pages of those keys. */
  readonly seeAlso: readonly string[];
}

/**
 * Explains a step type, an input type, a finding of preflight, an error code, an exit code or a key of a recipe, which is named by its path or by an
 * end of it. Where a key has the name of something else, that is explained.
 * @throws FlowError USAGE for a word that is none of them
 */
export async function explain(word: string): Promise<Explanation> {
  const schema = readRecipeSchema();
  const keys = recipeKeys(schema).filter(({ places }) => places.some((place) => endsWith(place, word)));
  const page = (await pageOf(schema, word)) ?? keyPage(keys.find(({ places }) => places.includes(word)));
  if (page) return { pages: [page], seeAlso: keys.filter((key) => !isPageOf(page, key)).map(shortPath) };
  const pages = keys.flatMap((key) => keyPage(key) ?? []);
  if (pages.length > 0) return { pages, seeAlso: [] };
  const ofCode = [...errors(), ...findings()].find(({ name }) => name === word.toUpperCase());
  if (ofCode) return { pages: [ofCode], seeAlso: [] };
  throw unknown(word);
}

function keyPage(key: RecipeKey | undefined): KeyPage | undefined {
  return key && { kind: 'key', ...key };
}

function isPageOf(page: Page, key: RecipeKey): boolean {
  return page.kind === 'key' && page.places === key.places;
}

async function pageOf(schema: RecipeSchema, word: string): Promise<Page | undefined> {
  const step: SchemaNode | undefined = stepsOf(schema, 'step').get(word);
  if (step) {
    const { stepPage } = await import('./step-page.ts');
    return stepPage(schema, word, step);
  }
  return (
    inputTypes(schema).find(({ name }) => name === word) ??
    findings().find(({ name }) => name === word) ??
    errors().find(({ name }) => name === word) ??
    exitCodes().find(({ name }) => name === word)
  );
}

function inputTypes(schema: RecipeSchema): InputTypePage[] {
  const { enum: names = [], enumDescriptions = [] } = schema.definitions['input']?.properties?.['type'] ?? {};
  const examples = (schema.properties?.['inputs']?.examples?.[0] ?? {}) as Readonly<
    Record<string, ExampleInput>
  >;
  return names.map(String).map((name, index) => {
    const example = Object.entries(examples).filter(([, input]) => input.type === name);
    return {
      kind: 'input-type',
      name,
      description: enumDescriptions[index] ?? '',
      example: Object.fromEntries(example),
      argv: example.flatMap(([input, value]) => argumentsOf(input, value)),
    };
  });
}

interface ExampleInput {
  readonly type: string;
  readonly default?: string | number | boolean | readonly string[];
  readonly from?: Readonly<Record<string, string>>;
}

function argumentsOf(name: string, { default: value, from = {} }: ExampleInput): string[] {
  const values = value === undefined ? Object.entries(from).map((pair) => pair.join(':')) : [value].flat();
  return values.flatMap((each) => ['-i', `${name}=${String(each)}`]);
}

function errors(): ErrorPage[] {
  return Object.entries(ERRORS).map(([name, error]) => ({ kind: 'error', name, ...error }));
}

function findings(): FindingPage[] {
  return FINDING_CODES.map((name) => ({ kind: 'finding', name, ...FINDINGS[name] }));
}

function exitCodes(): ExitCodePage[] {
  return EXIT_CODES.map(({ code: number, ...words }) => ({
    kind: 'exit-code',
    name: String(number),
    ...words,
  }));
}

/** The keys at the top of a recipe, and the names of all others. */
function keyTopics(schema: RecipeSchema): Topics['words'] {
  const byName = new Map<string, RecipeKey[]>();
  for (const key of recipeKeys(schema)) byName.set(key.name, [...(byName.get(key.name) ?? []), key]);
  return [...byName].map(([name, keys]) => {
    const top = keys.find(({ places }) => places.includes(name)) ?? keys[0];
    return { name, about: top?.description ?? '' };
  });
}

/** Whether a path is, or ends with, a word of one or more names. What the recipe names may be left out. */
function endsWith(place: string, word: string): boolean {
  const plain = place.replaceAll('.NAME', '');
  return [place, plain].some((path) => path === word || path.endsWith(`.${word}`));
}

/** Enough of a key's path to tell it from something else of its name. */
function shortPath({ places: [place = ''] }: RecipeKey): string {
  return place.replaceAll('.NAME', '').split('.').slice(-2).join('.');
}

function unknown(word: string): FlowError {
  const all = topics();
  const meant = suggest(
    word,
    all.flatMap(({ words }) => words.map(({ name }) => name)),
  );
  return new FlowError('USAGE', `There is nothing called ${code(word)} to explain`, {
    hint: [
      ...(meant === undefined ? [] : [`Did you mean ${code(meant)}?`]),
      ...all.flatMap(({ title, words }) =>
        wrapText(`The ${title} are ${words.map(({ name }) => name).join(', ')}.`, HINT_WIDTH),
      ),
    ].join('\n'),
    command: `criu-flow explain${meant === undefined ? '' : ` ${meant}`}`,
  });
}

const HINT_WIDTH = 96;
