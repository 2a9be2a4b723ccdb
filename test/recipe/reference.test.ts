import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import schema from '../../schemas/recipe.schema.json' with { type: 'json' };
import { validateRecipe } from '../../src/plan/load-plan.ts';
import { FILTERS } from '../../src/template/filters.ts';
import { renderTemplate } from '../../src/template/render.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const text = readFileSync(fileURLToPath(new URL('../../docs/recipe.md', import.meta.url)), 'utf8');

interface SchemaNode {
  readonly $ref?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
}

const CONDITIONS: ReadonlySet<string> = new Set(['if', 'then', 'else']);

/** Every property of the schema, with where it is. */
function propertiesOf(node: unknown, path: string): [string, SchemaNode][] {
  if (typeof node !== 'object' || node === null) return [];
  const own = Object.entries((node as SchemaNode).properties ?? {}).map(
    ([name, property]): [string, SchemaNode] => [`${path}/${name}`, resolve(property)],
  );
  // What a condition says of a property is no other one.
  const inner = Object.entries(node).filter(([key]) => !CONDITIONS.has(key));
  return [...own, ...inner.flatMap(([key, value]) => propertiesOf(value, `${path}/${key}`))];
}

function resolve(node: SchemaNode): SchemaNode {
  const name = node.$ref?.replace('#/definitions/', '');
  if (name === undefined) return node;
  const target = (schema.definitions as Readonly<Record<string, SchemaNode>>)[name] ?? {};
  return { ...resolve(target), ...node };
}

const properties = propertiesOf(schema, '');

test('docs/recipe.md names every value of every key, every default and every filter', () => {
  const words = properties.flatMap(([, node]) =>
    [...(node.enum ?? []), node.default ?? []].flat().map(String),
  );
  const known = [
    ...words,
    ...properties
      .map(([, node]) => node.const ?? [])
      .flat()
      .map(String),
  ];
  expect(known).toContain('transfer/rsync');
  const missing = [...known, ...Object.keys(FILTERS)].filter((word) => !text.includes(word));
  expect(missing).toEqual([]);
});

test('the recipe in docs/recipe.md is a good one', async () => {
  using directory = temporaryDirectory();
  writeFileSync(directory.at('r.yaml'), /```yaml\n(.*?)```/s.exec(text)?.[1] ?? '');
  expect(await validateRecipe({ recipe: 'r.yaml', cwd: directory.path })).toEqual([]);
});

test('the filters do what docs/recipe.md says', () => {
  const table = /^\| filter .*\n\|[- |]+\n((?:\|.*\n)+)/m.exec(text)?.[1] ?? '';
  const rows = [...table.matchAll(/^\| `(\w+)` +\| (.*) \|$/gm)];
  expect(rows.map(([, filter]) => filter)).toEqual(Object.keys(FILTERS));
  expect(table.match(/` of `/g)?.length).toBeGreaterThan(5);
  for (const [, filter, examples = ''] of rows) {
    for (const [, expected, value = ''] of examples.matchAll(/`([^`]+)` of `([^`]+)`/g)) {
      expect(renderTemplate(`{{ inputs.value | ${filter} }}`, { inputs: new Map([['value', value]]) })).toBe(
        expected,
      );
    }
  }
});
