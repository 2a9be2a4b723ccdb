import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv, type AnySchema } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import editorSchema from '../../schemas/editor/recipe.schema.json' with { type: 'json' };
import schema from '../../schemas/recipe.schema.json' with { type: 'json' };
import { parseDuration } from '../../src/recipe/duration.ts';
import { readRecipeSchema, resolveNode, type SchemaNode } from '../../src/recipe/recipe-schema.ts';
import { schemaProperties } from '../helpers/schema-properties.ts';
import { STEP_TYPES } from '../../src/steps/registry.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

const ajv = new Ajv({ discriminator: true, strict: false, allErrors: true }).addSchema(schema, 'recipe');

const recipeSchema = readRecipeSchema();
const properties = schemaProperties();

test('what a recipe needs that extends none is told in the words of those keys', () => {
  for (const { required, properties: named } of [schema.else.else, schema.then.else.else]) {
    // What may not be there is there with `false`.
    const words = Object.fromEntries(Object.entries(named).filter(([, node]) => typeof node === 'object'));
    expect(Object.keys(words)).toEqual(required);
    expect(schema.properties).toMatchObject(words);
  }
});

test('the schema has as many properties as ever', () => {
  expect(properties.length).toBeGreaterThan(100);
});

describe.each(properties)('%s', (pointer, node) => {
  test('says what it is in a sentence, and has an example', () => {
    expect(node.description).toMatch(/^[A-Z`].*\.$/);
    expect(node.examples?.length).toBeGreaterThan(0);
    if (node.enumDescriptions) expect(node.enumDescriptions).toHaveLength(node.enum?.length ?? 0);
  });

  test('takes its examples and its default', () => {
    const validate = ajv.compile({ $ref: `recipe#${pointer}` });
    for (const value of [...(node.examples ?? []), ...(node.default === undefined ? [] : [node.default])]) {
      expect({ value, isGood: validate(value) }).toEqual({ value, isGood: true });
    }
  });
});

/** No recipe names the first four; an approval has a time of its own. */
const WITHOUT_TIMEOUT: ReadonlySet<string> = new Set([
  'prepare',
  'pre-copy',
  'post-copy',
  'give-up',
  'approve',
]);

test.each(Object.entries(STEP_TYPES).filter(([uses]) => !WITHOUT_TIMEOUT.has(uses)))(
  'the default of `timeout` of %s is what a run takes',
  (uses, { timeoutMs }) => {
    const definition = Object.values(schema.definitions as Readonly<Record<string, SchemaNode>>).find(
      ({ properties: own }) => own?.['timeout'] && own['uses']?.examples?.[0] === uses,
    );
    expect(parseDuration(String(definition?.properties?.['timeout']?.default))).toBe(timeoutMs);
  },
);

test('the schema for editors takes the same recipes', () => {
  const validators = [schema, editorSchema].map((each: AnySchema) =>
    new Ajv({ discriminator: true, strict: false }).compile(each),
  );
  const [bundled, wrong] = ['recipes', 'test/recipe/wrong'].map((directory) =>
    readdirSync(`${root}/${directory}`)
      .filter((name) => name.endsWith('.yaml'))
      .flatMap((name) => parsed(readFileSync(`${root}/${directory}/${name}`, 'utf8'))),
  ) as [unknown[], unknown[]];
  const documents = [...wrong, ...[...bundled, ...exampleRecipes()].flatMap(slipsIn)];
  const verdicts = documents.map((document) => {
    const [isGood, isGoodForEditors] = validators.map((validate) => validate(document));
    if (isGood !== isGoodForEditors) expect.fail(`only one takes ${JSON.stringify(document)}`);
    return isGood === true;
  });
  expect(verdicts.filter(Boolean).length).toBeGreaterThan(300);
  expect(verdicts.filter((isGood) => !isGood).length).toBeGreaterThan(3000);
});

function parsed(text: string): unknown[] {
  try {
    return [parse(text, { logLevel: 'silent' })];
  } catch {
    return [];
  }
}

/** A recipe for each example of a key at the top, and for each step type with all its keys. */
function exampleRecipes(): unknown[] {
  const base = {
    version: 1,
    name: 'x',
    hosts: { source: 'a', destination: 'b' },
    workload: { process: { pid: 1 } },
  };
  const exampleOf = (node: SchemaNode): unknown => resolveNode(recipeSchema, node).examples?.[0];
  const wholeOf = ({ properties: own = {} }: SchemaNode): object =>
    Object.fromEntries(Object.entries(own).map(([name, node]) => [name, exampleOf(node)]));
  const steps = schema.definitions.step.oneOf.map((member) => wholeOf(resolveNode(recipeSchema, member)));
  return [
    ...steps.map((step) => ({ ...base, steps: [step] })),
    { ...base, steps, ...wholeOf({ properties: schema.properties }) },
  ];
}

/** A document, and each that has one thing in it taken out, added or changed. */
function slipsIn(document: unknown): unknown[] {
  const changed = [null, 'x', -1, 7, 1.5, 1e9, true, [], {}, 'dump', '{{ inputs.x }}'];
  if (typeof document !== 'object' || document === null) return [document, ...changed];
  const entries = Object.entries(document);
  const withEntries = (each: [string, unknown][]): unknown =>
    Array.isArray(document) ? each.map(([, value]) => value) : Object.fromEntries(each);
  return [
    document,
    ...changed,
    ...['pidFile', 'shell', 'file'].map((key) => withEntries([...entries, [key, '/run/x']])),
    ...entries.map(([key]) => withEntries(entries.filter(([other]) => other !== key))),
    ...entries.flatMap(([key, value]) =>
      slipsIn(value).map((slip) =>
        withEntries(entries.map(([other, old]) => [other, other === key ? slip : old])),
      ),
    ),
  ];
}
