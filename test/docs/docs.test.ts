import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string): string => readFileSync(`${root}/${file}`, 'utf8');

/** The first column of every table of a document. */
const firstColumn = (file: string): string[] =>
  [...read(file).matchAll(/^\| ([^|]+?) *\|/gm)].map((match) => match[1] ?? '');

test('docs/errors.md has every code of ErrorCode, and no other', () => {
  const union = read('src/errors/flow-error.ts').split('export type ErrorCode =')[1] ?? '';
  const codes = [...union.matchAll(/'([A-Z_]+)'/g)].map((match) => match[1] ?? '');
  const documented = firstColumn('docs/errors.md').filter((cell) => /^[A-Z_]+$/.test(cell));
  expect(documented.toSorted()).toEqual(codes.toSorted());
});

test('docs/exit-codes.md has every exit code that the sources have', () => {
  const sources = [
    'src/engine/outcome.ts',
    'src/cli/exit-codes.ts',
    'src/cli/signals.ts',
    'src/cli/commands/validate.ts',
  ];
  const used = sources.flatMap((file) =>
    [...read(file).matchAll(/(?:return|exitCode =|SIG[A-Z]+:|\?) (\d+)\b/g)].map((match) => Number(match[1])),
  );
  const documented = new Set(
    firstColumn('docs/exit-codes.md').flatMap((cell) => cell.split(', ').map(Number)),
  );
  expect(used.length).toBeGreaterThan(8);
  expect(used.filter((code) => !documented.has(code))).toEqual([]);
});

test('docs/recipes.md names every key of the schema', () => {
  const text = read('docs/recipes.md');
  const keys = new Set<string>();
  const walk = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const [key, value] of Object.entries(node)) {
      if (key === 'properties') for (const name of Object.keys(value as object)) keys.add(name);
      walk(value);
    }
  };
  walk(JSON.parse(read('schemas/recipe.schema.json')));
  expect(keys.size).toBeGreaterThan(25);
  expect([...keys].filter((key) => !new RegExp(`\\b${key}\\b`).test(text))).toEqual([]);
});

test('the layers of docs/architecture.md are the folders of src', () => {
  const text = read('docs/architecture.md');
  for (const folder of [
    'recipe',
    'template',
    'plan',
    'engine',
    'steps',
    'criu',
    'transfer',
    'network',
    'host',
    'lab',
    'report',
    'explain',
  ]) {
    expect(text).toMatch(new RegExp(`^\\| ${folder}\\b`, 'm'));
  }
});

test.each(['README.md', 'docs/recipes.md'])('every file and heading that %s names is there', (file) => {
  const text = read(file);
  const links = [...text.matchAll(/\]\(([^)]+)\)/g)].map((match) => match[1] ?? '');
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, words = '']) =>
    words.toLowerCase().replaceAll(/\W+/g, '-'),
  );
  expect(links.length).toBeGreaterThan(5);
  for (const link of links.filter((each) => !each.startsWith('http'))) {
    const [path = '', heading] = link.split('#');
    if (path === '') expect(headings).toContain(heading);
    else expect(existsSync(join(root, dirname(file), path)), link).toBe(true);
  }
});
