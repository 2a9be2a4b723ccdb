import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inspectTemplate } from '../../src/template/gate.ts';
import type { TemplateValue } from '../../src/template/filters.ts';
import { renderTemplate } from '../../src/template/render.ts';
import { scopeOf, type TemplateValues, typeOf } from '../../src/template/scope.ts';

const inputs = new Map<string, TemplateValue>([
  ['a', '/srv/a'],
  ['address', '10.0.0.9/24'],
  ['count', 3],
  ['careful', true],
  ['units', ['nginx.service', 'cron.service']],
]);
const RESULT = { stdout: 'active', stderr: '', exitCode: 0, status: 'done' } as const;
const values: TemplateValues = { inputs, results: new Map([['watchdog', RESULT]]), item: 'one' };
const scope = scopeOf(values);
const names = [...inputs.keys()];
const problemsOf = (template: string): string[] =>
  inspectTemplate(template, scope).problems.map(({ message }) => message);

test.each([
  ['no braces at all', [], 'text', 'text'],
  ['shell ${#list} {# x #} }}', [], 'text', 'text'],
  ['{{ inputs.a }}', ['a'], 'expression', 'text'],
  ['{{- inputs["a"] -}}', ['a'], 'expression', 'text'],
  ['{{ (inputs.a) }}', ['a'], 'expression', 'text'],
  ['{{ inputs.count }}', ['count'], 'expression', 'number'],
  ['{{ inputs.units }}', ['units'], 'expression', 'list'],
  ['{{ inputs.units | length }}', ['units'], 'expression', 'number'],
  ["{{ inputs.units | join(', ') }}", ['units'], 'expression', 'text'],
  ['{{ "{{" }}', [], 'expression', 'text'],
  ['{{ inputs.address | host | basename }}', ['address'], 'expression', 'text'],
  ['{{ inputs.a == "/srv/a" and not inputs.careful }}', ['a', 'careful'], 'expression', 'bool'],
  ['{{ inputs.count >= 3 or results.watchdog.exitCode != 0 }}', ['count'], 'expression', 'bool'],
  ["{{ inputs.a in ['/srv/a', item] }}", ['a'], 'expression', 'bool'],
  ['{{ item not in inputs.units }}', ['units'], 'expression', 'bool'],
  ['{{ inputs.a if inputs.careful else item }}', ['a', 'careful'], 'expression', 'text'],
  ['x{{ inputs.a }}', ['a'], 'mixed', 'text'],
  ['{{ inputs.a }}{{ inputs.address }}', ['a', 'address'], 'mixed', 'text'],
])('%s passes', (template, read, form, type) => {
  const found = inspectTemplate(template, scope);
  expect(found).toMatchObject({ problems: [], form, type });
  expect(found.inputs.toSorted()).toEqual(read.toSorted());
});

test.each([
  ['{{ inputs.a == "/srv/a" }}', true],
  ['{{ inputs.count < 3 }}', false],
  ['{{ inputs.a == "/srv/a" and not inputs.careful }}', false],
  ["{{ inputs.a in ['x', 'y'] }}", false],
  ["{{ 'cron.service' in inputs.units }}", true],
  ["{{ 'x' not in inputs.units }}", true],
  ["{{ 'yes' if inputs.careful else 'no' }}", 'yes'],
  // nunjucks itself makes `!a == b` of it, which JavaScript reads as `(!a) == b`.
  ['{{ not inputs.a == "x" }}', true],
  ['{{ not inputs.count < 5 }}', false],
  ['{{ not (inputs.count == 3 and inputs.careful) or inputs.count == 4 }}', false],
  ['{{ inputs.careful == false or "x" == "x" }}', true],
  ['  {{- inputs.count -}}  ', '3'],
  ['{{ inputs.units }}', ['nginx.service', 'cron.service']],
  ["{{ inputs.units | join(' ') }}", 'nginx.service cron.service'],
  ['{{ inputs.units | first }}', 'nginx.service'],
  ['{{ inputs.units | last }}', 'cron.service'],
  ['{{ results.watchdog.stdout }}', 'active'],
  ['{{ results.watchdog.exitCode == 0 }}', true],
  ['{{ item }}', 'one'],
  ['{{ " a " | trim }}', 'a'],
  ['{{ "a\n\nb\n" | lines }}', ['a', 'b']],
  ['{{ "it\'s" | quote }}', `'it'"'"'s'`],
])('%s is %j', (template, expected) => {
  expect(renderTemplate(template, values)).toEqual(expected);
});

test.each([
  ['{{ inputs.count == "3" }}', 'This compares a number with a text'],
  ['{{ inputs.a < "b" }}', 'Only numbers have an order, and this is a text'],
  ['{{ 1 < inputs.count < 3 }}', 'Comparisons cannot be chained'],
  ['{{ inputs.units == inputs.units }}', 'A list cannot be compared'],
  ['{{ inputs.a and inputs.careful }}', 'This must be true or false, and is a text'],
  ['{{ not inputs.a }}', 'This must be true or false, and is a text'],
  ['{{ inputs.count in inputs.units }}', 'This must be a text, and is a number'],
  ['{{ inputs.a in inputs.a }}', 'This must be a list, and is a text'],
  ['{{ inputs.a if inputs.careful }}', 'An `if` inside of a template needs an `else`'],
  ['{{ inputs.a if inputs.careful else 3 }}', 'This must be a text, and is a number'],
  ['{{ inputs.units | host }}', 'The filter `host` takes one value, and this is a list'],
  ['{{ inputs.a | join(",") }}', 'The filter `join` takes a list, and this is a text'],
  ['{{ inputs.units | join }}', "The filter `join` takes one text: `join(',')`"],
  ['{{ inputs.units | join(inputs.a) }}', "The filter `join` takes one text: `join(',')`"],
  ['units: {{ inputs.units }}', 'A list cannot stand inside of a text'],
  ['{{ item.length }}', 'An item has no parts'],
  ['{{ item["x"] }}', 'An item has no parts'],
  ['{{ results }}', 'A template cannot hold all results'],
  ['{{ results.watchdog }}', 'A template reads one part of a result'],
  ['{{ results.watchdog.output }}', 'A result has no `output`'],
  ['{{ results.wachdog.stdout }}', 'No step before this one registers `wachdog`'],
  ['{{ results.watchdog.constructor }}', 'A template cannot read `constructor`'],
  ['{{ inputs.a is string }}', 'A template cannot compute: it holds values, comparisons and filters'],
])('%s is refused, because of its types', (template, message) => {
  expect(problemsOf(template)).toEqual([message]);
});

test('an item is there only in a step that has `forEach`', () => {
  const { problems } = inspectTemplate('{{ item }}', { ...scope, hasItem: false });
  expect(problems.map(({ message }) => message)).toEqual(['There is no `item` here']);
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
    [
      '{{ inputs.a.length }}',
      'A template can look up nothing but inputs and results, and an input has no parts',
    ],
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
    [`${' '.repeat(9000)}x{{- inputs.a }}`, '`{{-` cannot cut off more than 256 characters'],
  ])('%j', (template, message) => {
    expect(problemsOf(template)[0]).toBe(message);
    expect(() => renderTemplate(template, values)).toThrow(message);
  });

  test.each(['1 + 1', 'inputs.a ~ inputs.a', '[1]', '{ a: 1 }', '-1', '1 // 1'])(
    '{{ %s }}: nothing is computed',
    (expression) => {
      expect(problemsOf(`{{ ${expression} }}`)).toEqual([
        'A template cannot compute: it holds values, comparisons and filters',
      ]);
    },
  );
});

test('of very many problems the first are told', () => {
  expect(problemsOf('{{ x }}'.repeat(2000))).toHaveLength(20);
});

test('a problem has its place', () => {
  const [problem] = inspectTemplate('one\ntwo {{ inputs.a }} {{ inputs.addres }}', scope).problems;
  expect(problem).toMatchObject({ offset: 33, length: 6, unknown: { name: 'addres', known: names } });
});

test('whatever is written, the gate answers, and what it lets through renders', () => {
  const word = fc.constantFrom(
    ...['{{', '}}', '{%', '%}', '{#', '#}', '\0%', '%\0', 'inputs', '.', '[', ']', '(', ')', '{', '}'],
    ...['a', 'address', '|', 'host', 'basename', '"', "'", ' ', '\n', '-', '+', ',', '1', '\\', 'r/', '/'],
    ...['for', 'in', 'if', 'else', 'is', 'not', 'none', 'constructor', '__proto__', 'range', 'raw'],
    ...['item', 'results', 'watchdog', 'stdout', 'units', 'count', 'careful', 'and', 'or', '==', '<', '!='],
  );
  const template = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(word, { maxLength: 20 }).map((words) => words.join('')),
    fc.array(word, { maxLength: 8 }).map((words) => `x{{ ${words.join(' ')} }}`),
  );
  fc.assert(
    fc.property(template, (text) => {
      const { problems, type, form } = inspectTemplate(text, scope);
      if (problems.length > 0) expect(() => renderTemplate(text, values)).toThrow();
      else expect(typeOf(renderTemplate(text, values))).toBe(form === 'expression' ? type : 'text');
    }),
    { numRuns: 3000 },
  );
});
