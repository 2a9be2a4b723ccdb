import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inspectTemplate } from '../../src/template/gate.ts';
import { renderTemplate } from '../../src/template/render.ts';

const inputs = new Map([
  ['a', '/srv/a'],
  ['address', '10.0.0.9/24'],
]);
const names = [...inputs.keys()];
const problemsOf = (template: string): string[] =>
  inspectTemplate(template, names).problems.map(({ message }) => message);

test.each([
  ['no braces at all', [], 'text'],
  ['shell ${#list} {# x #} }}', [], 'text'],
  ['{{ inputs.a }}', ['a'], 'expression'],
  ['{{- inputs["a"] -}}', ['a'], 'expression'],
  ['{{ (inputs.a) }}', ['a'], 'expression'],
  ['{{ "{{" }}', [], 'expression'],
  ['{{ inputs.address | host | basename }}', ['address'], 'expression'],
  ['x{{ inputs.a }}', ['a'], 'mixed'],
  ['{{ inputs.a }}{{ inputs.address }}', ['a', 'address'], 'mixed'],
])('%s passes', (template, read, form) => {
  expect(inspectTemplate(template, names)).toEqual({ problems: [], inputs: read, form });
});

describe('what leads anywhere but to an input and a filter is refused', () => {
  test.each([
    ['{{ constructor }}', 'There is no variable `constructor` in templates'],
    ['{{ inputs.constructor }}', 'A template cannot read `constructor`'],
    ['{{ inputs["__proto__"] }}', 'A template cannot read `__proto__`'],
    ['{{ "".constructor.constructor("return process")() }}', 'A template cannot call anything'],
    ['{{ inputs.a.constructor }}', 'A template cannot read `constructor`'],
    ['{{ inputs[inputs.a] }}', 'The name of an input must be written out'],
    ['{{ inputs[ ] }}', 'The name of an input must be written out'],
    ['{{ inputs.a.length }}', 'A template can look up nothing but inputs, and an input has no parts'],
    ['{{ inputs }}', 'A template cannot hold all inputs'],
    ['{{ range(999999999) }}', 'A template cannot call anything'],
    ['{{ cycler("x") }}', 'A template cannot call anything'],
    ['{{ a }}', 'There is no variable `a` in templates'],
    ['{{ inputs.b }}', 'There is no input `b`'],
    ['{{ inputs.a | safe }}', 'There is no filter `safe`'],
    ['{{ inputs.a | toString }}', 'There is no filter `toString`'],
    ['{{ inputs.a | criuFlowCapture }}', 'There is no filter `criuFlowCapture`'],
    ['{{ inputs.a | host(1) }}', 'The filter `host` takes no arguments'],
    ['{{ r/x/g }}', 'A template has text, numbers, true and false as literals'],
    ['{{ none }}', 'A template has text, numbers, true and false as literals'],
    ['{{ (inputs.a, inputs.a) }}', 'Parentheses hold one value'],
    ['{{ inputs.a', 'The `{{` that opens here is never closed'],
    ['{{ inputs.a }', '`}}` is expected here'],
    ['{{ }}', 'This is not a template'],
    ['{% include "/etc/passwd" %}', 'A template has no statements: `{% … %}` is not for recipes'],
    [
      '{% for i in range(9) %}{{ i }}{% endfor %}',
      'A template has no statements: `{% … %}` is not for recipes',
    ],
    ['\0% set x = 1 %\0{{ inputs.a }}', 'A template cannot hold a NUL character'],
    [`{{ "${'x'.repeat(20_000)}" }}`, 'A template has at most 16384 characters'],
    [`{{ ${'('.repeat(5000)}1${')'.repeat(5000)} }}`, 'The template nests too deep'],
    [`{{ inputs.a${' | host'.repeat(1000)} }}`, 'The template nests too deep'],
  ])('%j', (template, message) => {
    expect(problemsOf(template)[0]).toBe(message);
    expect(() => renderTemplate(template, inputs)).toThrow(message);
  });

  test.each([
    '1 + 1',
    'inputs.a ~ inputs.a',
    'inputs.a if 1 else 2',
    '[1]',
    '{ a: 1 }',
    'not 1',
    '1 == 1',
    '-1',
  ])('{{ %s }}: nothing is computed', (expression) => {
    expect(problemsOf(`{{ ${expression} }}`)).toEqual([
      'A template cannot compute: it holds one value and its filters',
    ]);
  });
});

test('a problem has its place', () => {
  const [problem] = inspectTemplate('one\ntwo {{ inputs.a }} {{ inputs.addres }}', names).problems;
  expect(problem).toMatchObject({ offset: 33, length: 6, unknown: { name: 'addres', known: names } });
});

test('whatever is written, the gate answers, and what it lets through renders', () => {
  const word = fc.constantFrom(
    ...['{{', '}}', '{%', '%}', '{#', '#}', '\0%', '%\0', 'inputs', '.', '[', ']', '(', ')', '{', '}'],
    ...['a', 'address', '|', 'host', 'basename', '"', "'", ' ', '\n', '-', '+', ',', '1', '\\', 'r/', '/'],
    ...['for', 'in', 'if', 'else', 'is', 'not', 'none', 'constructor', '__proto__', 'range', 'raw'],
  );
  const template = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(word, { maxLength: 20 }).map((words) => words.join('')),
    fc.array(word, { maxLength: 8 }).map((words) => `x{{ ${words.join(' ')} }}`),
  );
  fc.assert(
    fc.property(template, (text) => {
      if (problemsOf(text).length > 0) expect(() => renderTemplate(text, inputs)).toThrow();
      else expect(['string', 'number', 'boolean']).toContain(typeof renderTemplate(text, inputs));
    }),
    { numRuns: 3000 },
  );
});
