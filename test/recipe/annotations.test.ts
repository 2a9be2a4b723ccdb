import { expect, test } from 'vitest';
import { formatAnnotations } from '../../src/recipe/annotations.ts';
import type { Diagnostic } from '../../src/recipe/diagnostic.ts';

const diagnostic: Diagnostic = {
  severity: 'error',
  code: 'wrong-value',
  message: 'It is wrong',
  location: { file: 'recipes/a.yaml', line: 3, column: 7 },
  excerpt: [],
};

test('an error and a warning are commands of their own, each on a line', () => {
  expect(formatAnnotations([diagnostic, { ...diagnostic, severity: 'warning', hint: 'Mend it.' }])).toBe(
    '::error file=recipes/a.yaml,line=3,col=7::It is wrong\n' +
      '::warning file=recipes/a.yaml,line=3,col=7::It is wrong%0AMend it.',
  );
});

test('what would end a property, a message or a line is escaped', () => {
  const location = { file: 'a:b,c%\r\n::error::.yaml', line: 1, column: 1 };
  expect(formatAnnotations([{ ...diagnostic, message: '100%: a, b\r\n::set-env', location }])).toBe(
    '::error file=a%3Ab%2Cc%25%0D%0A%3A%3Aerror%3A%3A.yaml,line=1,col=1::100%25: a, b%0D%0A::set-env',
  );
});

test('no control character reaches the log', () => {
  const location = { file: 'a\u001b[2J.yaml', line: 1, column: 1 };
  expect(formatAnnotations([{ ...diagnostic, message: 'a\u001b]0;b\u0007\u202ec', location }])).toBe(
    '::error file=a␛[2J.yaml,line=1,col=1::a␛]0;b␇\ufffdc',
  );
});
