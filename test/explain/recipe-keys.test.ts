import { expect, test } from 'vitest';
import { recipeKeys } from '../../src/explain/recipe-keys.ts';
import { readRecipeSchema } from '../../src/recipe/recipe-schema.ts';

const schema = readRecipeSchema();
const keys = recipeKeys(schema);

/** The name of every property of the schema. */
function propertyNames(node: unknown): string[] {
  if (typeof node !== 'object' || node === null) return [];
  return Object.entries(node).flatMap(([key, value]) =>
    key === 'properties' ? [...Object.keys(value as object), ...propertyNames(value)] : propertyNames(value),
  );
}

test('every key of the schema is there, once for each thing that it means', () => {
  expect(new Set(keys.map(({ name }) => name))).toEqual(new Set(propertyNames(schema)));
  const places = keys.flatMap((key) => key.places);
  expect(places.length).toBeGreaterThan(150);
  expect(new Set(places).size).toBe(places.length);
});

test('every key says what it is and what it takes', () => {
  for (const { places, description, type } of keys) {
    expect(description, places[0]).toMatch(/\.$/);
    expect(type, places[0]).not.toMatch(/^$|undefined/);
  }
});

test.each([
  ['workload', { type: 'mapping', isRequired: true }],
  ['network.address.cidr', { type: 'cidr', isRequired: true }],
  ['inputs.NAME.items', { type: 'one of', default: 'string', isRequired: false }],
  ['command.retry', { type: 'text, or a mapping', keys: ['attempts', 'delay', 'backoff', 'maxDelay'] }],
  ['verify.timeout', { type: 'duration' }],
  ['block.rescue', { type: 'list of steps' }],
  ['verify.with.checks.tcp.port', { type: 'whole number from 1 to 65535, or a template', isRequired: true }],
  ['inputs.NAME.default', { type: 'text, or whole number, or true or false, or list of texts' }],
])('%s', (place, expected) => {
  expect(keys.find(({ places }) => places.includes(place))).toMatchObject(expected);
});

test('`uses` is one key with all step types as its values', () => {
  const uses = keys.filter(({ name }) => name === 'uses');
  expect(uses).toHaveLength(1);
  expect(uses[0]?.values).toContain('transfer/rsync');
});
