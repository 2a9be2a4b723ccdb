import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sanitizeForTerminal, sanitizeLine, toSafeJson } from '../../src/report/sanitize.ts';

const STEERS = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

test.each([
  ['a colour', '\u001b[31mred\u001b[0m', 'red'],
  ['a screen that is cleared', 'a\u001b[2J\u001b[Hb', 'ab'],
  ['a window title', 'a\u001b]0;title\u0007b', 'ab'],
  ['a link', '\u001b]8;;http://x\u0007text\u001b]8;;\u0007', 'text'],
  ['controls of eight bits', 'a\u009b31mb', 'ab'],
  ['a line that is overwritten', 'fine\rerror', 'fine\nerror'],
  ['text from right to left', 'a\u202eb\u2066c', 'abc'],
  ['characters of no width', 'a\u200bb\ufeffc', 'abc'],
  ['half a character', 'a\ud800b', 'ab'],
  ['a tab', 'a\tb', 'a b'],
  ['what is no danger', 'Grüße, 世界 🎉', 'Grüße, 世界 🎉'],
])('%s', (_, hostile, safe) => {
  expect(sanitizeForTerminal(hostile)).toBe(safe);
});

test('a line stays one line', () => {
  expect(sanitizeLine(' one\n[  0.01s] done\r\n  three ')).toBe('one [  0.01s] done three');
});

test('a text without an end is cut', () => {
  expect(sanitizeForTerminal('x'.repeat(1_000_000))).toBe(`${'x'.repeat(8192)} … (cut)`);
});

test('whatever a host says, nothing steers the terminal', () => {
  const pieces = fc.constantFrom(
    '\u001b',
    '[',
    ']',
    '\u009b',
    '0;',
    'm',
    '\u0007',
    '\r',
    '\n',
    '\u202e',
    'a',
  );
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: pieces })), (text) => {
      expect(sanitizeForTerminal(text)).not.toMatch(STEERS);
      expect(sanitizeLine(text)).not.toMatch(/\n/);
    }),
  );
});

test('JSON keeps every value, in characters that steer nothing', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const json = toSafeJson({ text });
      expect(json).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      expect(JSON.parse(json)).toEqual({ text });
    }),
  );
});
