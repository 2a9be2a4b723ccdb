import { Ajv } from 'ajv';
import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { stepsOf } from '../../src/explain/recipe-keys.ts';
import { validateRecipe } from '../../src/plan/load-plan.ts';
import { checkInput, type InputRule } from '../../src/recipe/input-value.ts';
import { readRecipeSchema } from '../../src/recipe/recipe-schema.ts';
import { toYaml } from '../../src/recipe/to-yaml.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const schema = readRecipeSchema();
const ajv = new Ajv({ strict: false, discriminator: true, allowUnionTypes: true }).addSchema(
  schema,
  'recipe',
);

const examples = Object.entries(schema.definitions).flatMap(([name, { examples: some = [] }]) =>
  some.map((example): [string, unknown] => [name, example]),
);

test.each(examples)('an example of %s is a good one: %j', (name, example) => {
  expect(ajv.validate({ $ref: `recipe#/definitions/${name}` }, example), ajv.errorsText()).toBe(true);
});

test('every step type has an example', () => {
  const steps = stepsOf(schema, 'step');
  expect(steps.size).toBeGreaterThan(8);
  for (const [uses, { examples: [example] = [] }] of steps) expect(example).toMatchObject({ uses });
});

test('every input type has words and an example, whose default it takes', () => {
  const type = schema.definitions['input']?.properties?.['type'];
  const inputs = (schema.properties?.['inputs']?.examples?.[0] ?? {}) as Record<
    string,
    InputRule & { default?: unknown }
  >;
  expect(type?.enumDescriptions).toHaveLength(type?.enum?.length ?? 0);
  expect(Object.values(inputs).map((input) => input.type)).toEqual(type?.enum);
  for (const [name, input] of Object.entries(inputs)) {
    if (input.type !== 'secret') expect(checkInput(name, input, input.default)).toBeUndefined();
  }
});

test('the examples of the inputs and of the step types make a recipe', async () => {
  using directory = temporaryDirectory();
  const step = (name: string): unknown => schema.definitions[`${name}Step`]?.examples?.[0];
  const recipe = {
    version: 1,
    name: 'All examples',
    inputs: schema.properties?.['inputs']?.examples?.[0],
    hosts: { source: 'a', destination: '{{ inputs.destination }}' },
    workload: { process: { pid: '{{ inputs.pid }}' } },
    steps: [
      'preflight',
      'approve',
      'block',
      'command',
      'dump',
      'transferRsync',
      'restore',
      'commit',
      'verify',
    ].map(step),
  };
  writeFileSync(directory.at('r.yaml'), toYaml(recipe));
  const found = await validateRecipe({ recipe: 'r.yaml', cwd: directory.path });
  expect(found.filter(({ severity }) => severity === 'error')).toEqual([]);
});
