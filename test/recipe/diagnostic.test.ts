import { expect, test } from 'vitest';
import { diagnosticAt, formatDiagnostic } from '../../src/recipe/diagnostic.ts';
import { SourceFile } from '../../src/recipe/source-file.ts';

test('offsets are lines and columns from 1, whatever ends a line', () => {
  const source = new SourceFile('r.yaml', 'one\ntwo\r\n\nfour');
  expect([0, 3, 4, 7, 9, 10, 99].map((offset) => Object.values(source.positionAt(offset)))).toEqual([
    [1, 1],
    [1, 4],
    [2, 1],
    [2, 4],
    [3, 1],
    [4, 1],
    [4, 5],
  ]);
  expect([1, 2, 3, 4, 5].map((line) => source.lineText(line))).toEqual(['one', 'two', '', 'four', '']);
});

test('a long line is cut around the mistake', () => {
  const source = new SourceFile('r.yaml', `${'x'.repeat(5000)}wrong${'y'.repeat(5000)}`);
  const text = formatDiagnostic(diagnosticAt(source, [5000, 5005], { code: 'yaml', message: 'Wrong' }));
  expect(text.split('\n')).toEqual([
    'r.yaml:1:5001  error  Wrong',
    `   1 | ${'x'.repeat(20)}wrong${'y'.repeat(75)}`,
    `     | ${' '.repeat(20)}^^^^^`,
  ]);
});

test('a mistake over several lines ends with its first', () => {
  const source = new SourceFile('r.yaml', 'a: |\n  b\n  c\n');
  const { location } = diagnosticAt(source, [3, 12], { code: 'yaml', message: 'Wrong' });
  expect(location).toEqual({ file: 'r.yaml', line: 1, column: 4, endColumn: 5 });
});

test('nothing of a file moves the cursor, changes colours or reorders text', () => {
  const source = new SourceFile('\u001b[2J.yaml', 'a\u001b[31m\u202e\u200b\u0007\u009b\ud800');
  const text = formatDiagnostic(
    diagnosticAt(source, [0, 1], { code: 'yaml', message: 'Bad \u001b]0;x\u0007', hint: 'No\r\u001b[A' }),
  );
  expect(text).not.toMatch(/[^\P{Cc}\n]|[\u202e\u200b]|[\ud800-\udfff]/u);
});

test('colours only when they are wanted', () => {
  const diagnostic = diagnosticAt(new SourceFile('r.yaml', 'a'), [0, 1], { code: 'yaml', message: 'Wrong' });
  expect(formatDiagnostic(diagnostic)).not.toContain('\u001b');
  expect(formatDiagnostic(diagnostic, { color: true })).toContain('\u001b[31merror\u001b[0m');
});
