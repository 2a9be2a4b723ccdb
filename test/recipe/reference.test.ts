import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import schema from '../../schemas/recipe.schema.json' with { type: 'json' };
import { validateRecipe } from '../../src/plan/load-plan.ts';
import { FILTERS } from '../../src/template/filters.ts';
import { renderTemplate } from '../../src/template/render.ts';
import { schemaProperties } from '../helpers/schema-properties.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const text = readFileSync(fileURLToPath(new URL('../../docs/recipes.md', import.meta.url)), 'utf8');

const properties = schemaProperties();

test('docs/recipes.md names every value of every key, every default and every filter', () => {
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

/** What the pieces of the page stand in. */
const AROUND = {
  version: 1,
  name: 'Move it',
  inputs: {
    source: { type: 'host' },
    destination: { type: 'host' },
    units: { type: 'list' },
    ports: { type: 'list', items: 'port' },
    token: { type: 'secret' },
  },
  hosts: { source: '{{ inputs.source }}', destination: '{{ inputs.destination }}' },
  workload: { process: { pid: 4711 } },
  probes: { health: { http: { url: 'http://a/' } } },
};
const MOVE = ['dump', 'transfer/rsync', 'restore'].map((uses) => ({ uses }));

/** A whole recipe as it is; of a list of steps, or of some keys, a recipe with them; of an inventory, one that names it. */
function recipeWith(piece: string): string {
  const data: unknown = parse(piece);
  if (Array.isArray(data)) return stringify({ ...AROUND, steps: [{ uses: 'preflight' }, ...data, ...MOVE] });
  const keys = data as Partial<typeof AROUND & Record<'steps' | 'runs' | 'groups', unknown>>;
  if (keys.groups)
    return stringify({ ...AROUND, inventory: './hosts.yaml', steps: [{ uses: 'preflight' }, ...MOVE] });
  if (keys.steps || keys.runs) return piece;
  const inputs = { ...AROUND.inputs, ...keys.inputs };
  return stringify({ ...AROUND, steps: [{ uses: 'preflight' }, ...MOVE], ...keys, inputs });
}

const pieces = [...text.matchAll(/```yaml\n(.*?)```/gs)].map(([, piece = '']) => piece);

/** Pieces that say in which file they are, so that others can use them. */
const NAMED = pieces.flatMap((piece): [string, string][] => {
  const name = /^# (\S+\.yaml)\n/.exec(piece)?.[1];
  return name === undefined ? [] : [[piece, name]];
});

test('docs/recipes.md begins with the smallest recipe', () => {
  expect(pieces.length).toBeGreaterThan(12);
  const required = [...schema.required, ...schema.else.else.required];
  expect(Object.keys(parse(pieces[0] ?? ''))).toEqual(required);
});

test.each(pieces)('piece %# of docs/recipes.md is good', async (piece) => {
  using directory = temporaryDirectory();
  for (const [part, name] of NAMED) {
    mkdirSync(dirname(directory.at(name)), { recursive: true });
    writeFileSync(directory.at(name), part);
  }
  writeFileSync(directory.at('r.yaml'), recipeWith(piece));
  const diagnostics = await validateRecipe({ recipe: 'r.yaml', cwd: directory.path });
  // The pieces around read no input of theirs.
  const isWhole = recipeWith(piece) === piece;
  expect(diagnostics.filter(({ severity }) => isWhole || severity === 'error')).toEqual([]);
});

test('the filters do what docs/recipes.md says', () => {
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
