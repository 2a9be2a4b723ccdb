import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TemplateValue } from '../../src/template/filters.ts';
import { renderTemplate } from '../../src/template/render.ts';

const render = (template: string, inputs: Readonly<Record<string, TemplateValue>> = {}) =>
  renderTemplate(template, { inputs: new Map(Object.entries(inputs)) });

test('one expression keeps the type of its value, anything more is text', () => {
  expect(render('{{ inputs.pid }}', { pid: 4711 })).toBe(4711);
  expect(render('{{ inputs.on }}', { on: false })).toBe(false);
  expect(render('{{- inputs.pid -}}', { pid: 4711 })).toBe(4711);
  expect(render('{{ inputs.text }}', { text: '4711' })).toBe('4711');
  expect(render('{{ inputs.text }}', { text: '' })).toBe('');
  expect(render('pid {{ inputs.pid }}', { pid: 4711 })).toBe('pid 4711');
  expect(render('{{ inputs.pid }}{{ inputs.pid }}', { pid: 47 })).toBe('4747');
});

test('braces that are meant, statements and comments of nunjucks are plain text', () => {
  expect(render('{{ "{{" }} x }}')).toBe('{{ x }}');
  expect(render('{{ "{%" }}')).toBe('{%');
  expect(render('${#list} {# no comment #}{{ "" }}')).toBe('${#list} {# no comment #}');
});

test.each([
  ['host', '10.0.0.9/24', '10.0.0.9'],
  ['host', 'fd00::9/64', 'fd00::9'],
  ['host', 'root@host-a', 'host-a'],
  ['host', 'root@[fd00::9]', 'fd00::9'],
  ['host', 'host-a', 'host-a'],
  ['basename', '/srv/video/', 'video'],
  ['dirname', '/srv/video', '/srv'],
  ['dirname', 'video', '.'],
])('%s of %s is %s', (filter, value, expected) => {
  expect(render(`{{ inputs.value | ${filter} }}`, { value })).toBe(expected);
});

test('a value is never rendered again, and nothing of it is lost', () => {
  const value = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(
        fc.constantFrom('{{ inputs.a }}', '{% raw %}', '{#', "'", '"', '\n', '\\', '&', '<', '$(x)', '}}'),
      )
      .map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(value, (a) => {
      expect(render('{{ inputs.a }}', { a })).toBe(a);
      expect(render('<{{ inputs.a }}>{{ inputs.a }}', { a })).toBe(`<${a}>${a}`);
    }),
  );
});
