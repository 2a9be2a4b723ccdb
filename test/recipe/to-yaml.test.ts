import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { toYaml } from '../../src/recipe/to-yaml.ts';

test.each([
  [['a', 'b'], '[a, b]'],
  ['{{ inputs.a }}', "'{{ inputs.a }}'"],
  [{ with: { on: 'source', argv: ['true'] } }, 'with: {on: source, argv: ["true"]}'],
  [{ with: { checks: [{ tcp: { port: 80 } }] } }, 'with:\n  checks:\n    - tcp: {port: 80}'],
  [[{ uses: 'dump', timeout: '5m' }], '- uses: dump\n  timeout: 5m'],
  [{ a: { b: 'x'.repeat(80), c: 1 } }, `a:\n  b: ${'x'.repeat(80)}\n  c: 1`],
])('%j', (value, expected) => {
  expect(parse(toYaml(value))).toEqual(value);
  expect(toYaml(value).replaceAll("'true'", '"true"')).toBe(expected);
});
