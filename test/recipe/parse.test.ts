import { describe, expect, test } from 'vitest';
import { toDiagnostics } from '../../src/recipe/finding.ts';
import { parseRecipe } from '../../src/recipe/parse.ts';
import type { Path } from '../../src/recipe/path.ts';
import { SourceFile } from '../../src/recipe/source-file.ts';
import { inspectTemplate } from '../../src/template/gate.ts';

function parse(text: string) {
  const { parsed, diagnostics } = parseRecipe(new SourceFile('r.yaml', text));
  if (!parsed) throw new Error(diagnostics[0]?.message);
  return parsed;
}

/** The text that a diagnostic about a path points at. */
function pointedAt(text: string, path: Path, at: 'key' | 'value'): string {
  const [diagnostic] = toDiagnostics(parse(text), [{ path, at, code: 'yaml', message: '' }]);
  const { line, column, endColumn = column } = diagnostic!.location;
  return text.split('\n')[line - 1]!.slice(column - 1, endColumn - 1);
}

describe('YAML as recipes have it', () => {
  test('the core schema of 1.2: yes, no and on are text, there are no merges, dates or octals', () => {
    const { data } = parse('a: yes\nb: on\nc: 2026-01-01\nd: 010\ne: 0x10\nf: null\ng: { <<: 1 }\nh: 1e3\n');
    expect(data).toEqual({
      a: 'yes',
      b: 'on',
      c: '2026-01-01',
      d: 10,
      e: 16,
      f: null,
      g: { '<<': 1 },
      h: 1000,
    });
  });

  test('a directive cannot bring the older schema back', () => {
    expect(parse('%YAML 1.1\n---\na: yes\n').data).toEqual({ a: 'yes' });
  });

  test('a document may begin with --- and end with --- or ...', () => {
    for (const text of ['---\na: 1\n', 'a: 1\n---\n', 'a: 1\n...\n', '---\na: 1\n---\n# the end\n']) {
      expect(parse(text).data).toEqual({ a: 1 });
    }
  });

  test('names that mean something to JavaScript are names', () => {
    const { data } = parse('__proto__: { x: 1 }\nconstructor: 2\ntoString: 3\n');
    expect(Object.keys(data as object)).toEqual(['__proto__', 'constructor', 'toString']);
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });

  test('an alias is the last anchor of its name before it', () => {
    expect(parse('- &a 1\n- *a\n- &b [*a]\n- &a 2\n- *a\n- *b\n').data).toEqual([1, 1, [1], 2, 2, [1]]);
    expect(() => parse('- *a\n- &a 1\n')).toThrow('There is no anchor `&a`');
    expect(() => parse('&a [*a]\n')).toThrow('The alias `*a` stands inside of its own anchor');
  });
});

describe('places', () => {
  const text = 'steps:\n  - uses: dump\n    name: "a b"\n  - uses:\nkeep: &k { x: [1, two] }\nagain: *k\n';

  test.each([
    [['steps', 0, 'uses'], 'key', 'uses'],
    [['steps', 0, 'uses'], 'value', 'dump'],
    [['steps', 0, 'name'], 'value', '"a b"'],
    [['steps', 1, 'uses'], 'value', 'uses'],
    [['keep', 'x', 1], 'value', 'two'],
    [['again', 'x', 1], 'value', 'two'],
    [['again'], 'value', '*k'],
    // What is not there stands for what should have it.
    [['keep', 'lacking'], 'key', 'keep'],
  ] as const)('%j: its %s', (path, at, expected) => {
    expect(pointedAt(text, path, at)).toBe(expected);
  });

  test.each([
    ['plain', 'a: x {{ inputs.b }}'],
    ['single quotes', "a: 'it''s {{ inputs.b }}'"],
    ['double quotes', 'a: "\\t\\"{{ inputs.b }}"'],
    ['literal', 'a: |\n  one\n  two {{ inputs.b }}\n'],
    ['folded', 'a: >-\n  one\n  two\n\n    three {{ inputs.b }}\n'],
    ['the second of two', "a: '{{ inputs.x }} {{ inputs.b }}'"],
    ['over two lines', 'a: "{{ inputs.x }}\n  {{ inputs.b }}"'],
  ])('the wrong name in a template, written as %s', (_, source) => {
    const parsed = parse(source);
    const template = (parsed.data as { a: string }).a;
    const scope = { inputs: new Map([['x', 'text' as const]]), results: new Set<string>(), hasItem: false };
    const [problem] = inspectTemplate(template, scope).problems;
    const { offset, length } = problem!;
    const [diagnostic] = toDiagnostics(parsed, [
      { path: ['a'], at: 'value', code: 'template', message: '', part: { template, offset, length } },
    ]);
    const { line, column, endColumn = column } = diagnostic!.location;
    expect(source.split('\n')[line - 1]!.slice(column - 1, endColumn - 1)).toBe('b');
  });
});
