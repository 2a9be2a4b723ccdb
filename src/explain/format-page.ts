import { toYaml } from '../recipe/to-yaml.ts';
import type { Paint } from '../report/format.ts';
import type { Explanation, Topics } from './explain.ts';
import type { KeyPage, Page, StepPage } from './page.ts';
import type { RecipeKey } from './recipe-keys.ts';
import { wrapText } from './wrap-text.ts';

export interface FormatOptions {
  readonly paint: Paint;
  /** Characters of a line. */
  readonly width: number;
}

/** For people; no line feed at the end. */
export function formatExplanation({ pages, seeAlso }: Explanation, options: FormatOptions): string {
  const also =
    seeAlso.length === 0
      ? []
      : [['Keys of the same name:', ...seeAlso.map((path) => `  criu-flow explain ${path}`)].join('\n')];
  return [...pages.map((page) => formatPage(page, options).join('\n')), ...also].join('\n\n');
}

/** Everything that can be explained; no line feed at the end. */
export function formatTopics(all: readonly Topics[], { paint, width }: FormatOptions): string {
  const blocks = all.map(({ title, words }) => {
    const widest = Math.max(...words.map(({ name }) => name.length));
    const lines = words.map(
      ({ name, about }) => `  ${name.padEnd(widest)}  ${paint('faint', shorten(about, width - widest - 4))}`,
    );
    return [paint('strong', title), ...lines].join('\n');
  });
  return [...blocks, 'criu-flow explain WORD says more of each.'].join('\n\n');
}

function formatPage(page: Page, options: FormatOptions): string[] {
  switch (page.kind) {
    case 'step':
      return formatStep(page, options);
    case 'input-type':
      return [
        heading(page.name, 'an input type', options),
        ...wrap(page.description, '  ', options),
        ...example({ inputs: page.example }),
        '',
        '  On the command line:',
        `    ${page.argv.join(' ')}`,
      ];
    case 'error':
      return [
        heading(page.name, 'an error', options),
        ...fact('means', page.means, options),
        ...fact('do', page.cure, options),
        ...fact('ends with', page.exitCode ?? '4, 5, 6 or 7: as far as the run came', options),
      ];
    case 'finding':
      return [
        heading(page.name, 'a finding of preflight', options),
        ...fact('means', page.means, options),
        ...fact('if allowed', page.ifAllowed ?? 'it refuses the run whatever is allowed', options),
      ];
    case 'exit-code':
      return [
        heading(page.name, 'an exit code', options),
        ...fact('means', page.means, options),
        ...fact('workload', page.workload, options),
        ...fact('do', page.cure, options),
      ];
    case 'key':
      return formatKey(page, options);
  }
}

function formatStep(page: StepPage, options: FormatOptions): string[] {
  return [
    heading(page.name, 'a step', options),
    ...wrap(page.description, '  ', options),
    '',
    ...fact('stands', page.stands.join('; '), options),
    ...fact('undo', page.undo.join('; '), options),
    '',
    '  Keys:',
    ...page.keys.flatMap((key) => [
      `    ${options.paint('strong', key.name)}  ${options.paint('faint', [kindOf(key), ...suchAs(key)].join(', '))}`,
      ...wrap(key.description, '      ', options),
    ]),
    ...example([page.example]),
  ];
}

const MAX_PLACES = 6;

function formatKey(page: KeyPage, options: FormatOptions): string[] {
  const { places } = page;
  const inLine = oneLiners(page.examples);
  const more = places.length > MAX_PLACES ? `, and ${places.length - MAX_PLACES} more` : '';
  return [
    heading(page.name, 'a key of a recipe', options),
    ...wrap(page.description, '  ', options),
    '',
    ...fact('takes', kindOf(page), options),
    ...fact('stands', `${places.slice(0, MAX_PLACES).join(', ')}${more}`, options),
    ...(page.keys.length === 0 ? [] : fact('has', page.keys.join(', '), options)),
    ...(inLine.length === page.examples.length && inLine.length > 0
      ? fact('such as', inLine.join('   '), options)
      : page.examples.flatMap((value) => example({ [page.name]: value }))),
  ];
}

/** An example that fits beside the rest. */
function suchAs({ examples }: RecipeKey): string[] {
  const [text] = oneLiners(examples.slice(0, 1));
  return text === undefined ? [] : [`such as ${text}`];
}

const MAX_ONE_LINER = 50;

function oneLiners(values: readonly unknown[]): string[] {
  return values
    .filter((value) => typeof value !== 'object' || (Array.isArray(value) && value.every(isScalar)))
    .map(toYaml)
    .filter((text) => !text.includes('\n') && text.length <= MAX_ONE_LINER);
}

function isScalar(value: unknown): boolean {
  return typeof value !== 'object';
}

function kindOf({ type, values, isRequired, default: value }: RecipeKey): string {
  const words = values === undefined ? type : values.join(' | ');
  const standard = value === undefined ? '' : `, default ${JSON.stringify(value).replaceAll('"', '')}`;
  return `${words}${isRequired ? ', required' : standard}`;
}

function heading(name: string, what: string, { paint }: FormatOptions): string {
  return `${paint('strong', name)}, ${what}`;
}

/** Beside its label, and below that where it is long. */
function fact(label: string, value: string | number, { paint, width }: FormatOptions): string[] {
  const [first = '', ...rest] = wrapText(String(value), width - LABEL_WIDTH - 2);
  return [
    `  ${paint('faint', label.padEnd(LABEL_WIDTH))}${first}`,
    ...rest.map((line) => `${' '.repeat(LABEL_WIDTH + 2)}${line}`),
  ];
}

const LABEL_WIDTH = 11;

function example(value: unknown): string[] {
  return ['', '  Example:', ...indent(toYaml(value), '    ')];
}

function indent(text: string, margin: string): string[] {
  return text.split('\n').map((line) => `${margin}${line}`);
}

function wrap(text: string, margin: string, { width }: FormatOptions): string[] {
  return wrapText(text, width - margin.length).map((line) => `${margin}${line}`);
}

function shorten(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(1, width - 1)).trimEnd()}…`;
}
