import { expect, test } from 'vitest';
import { renderKnown } from '../../src/template/render-known.ts';
import type { TemplateScope } from '../../src/template/scope.ts';

const scope: TemplateScope = {
  inputs: new Map([
    ['host', 'text'],
    ['token', 'text'],
  ]),
  results: new Set(['look']),
  hasItem: true,
};
const values = { inputs: new Map([['host', 'root@a']]), item: 'unit' };

test.each([
  ['no template', ['no template']],
  ['{{ inputs.host | host }}', ['a']],
  ['to {{ inputs.host }}: {{ item }}', ['to ', 'root@a', ': ', 'unit']],
  ['Bearer {{ inputs.token }}', ['Bearer ', { reads: ['inputs.token'] }]],
  ['{{ results.look.stdout | trim }}!', [{ reads: ['results.look.stdout'] }, '!']],
  [
    '{{ inputs.host if results.look.exitCode == 0 and results.look.exitCode < 2 else inputs.token }}',
    [{ reads: ['results.look.exitCode', 'inputs.token'] }],
  ],
  ["{{ 'x' in (results.look.stdout | lines) }}", [{ reads: ['results.look.stdout'] }]],
] as const)('%s', (template, expected) => {
  const parts = renderKnown(template, scope, values);
  const reads = (part: (typeof parts)[number]): unknown =>
    typeof part === 'string' ? part : { reads: part.reads.toSorted() };
  expect(parts.map(reads)).toEqual(
    expected.map((part) => (typeof part === 'string' ? part : { reads: [...part.reads].toSorted() })),
  );
});
