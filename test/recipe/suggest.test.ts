import { expect, test } from 'vitest';
import { didYouMean, suggest } from '../../src/recipe/suggest.ts';

test.each([
  ['restor', ['restore', 'command'], 'restore'],
  ['hots', ['host', 'basename'], 'host'],
  ['PIDFILE', ['pid', 'pidFile'], 'pidFile'],
  ['transfer/rsycn', ['transfer/rsync', 'transfer/sftp'], 'transfer/rsync'],
  ['with', ['uses', 'name'], undefined],
  ['q', ['a'], undefined],
  ['', ['a', 'abc'], undefined],
  ['x'.repeat(100_000), ['x'.repeat(100_001)], undefined],
])('%.20s', (word, known, meant) => {
  expect(suggest(word, known)).toBe(meant);
});

test('without a suggestion there is the list, and never a long one', () => {
  expect(didYouMean('x', ['verify', 'dump'], 'steps')).toBe('The steps are `verify`, `dump`.');
  expect(didYouMean('x', [], 'inputs')).toBe('There are no inputs.');
  const many = Array.from({ length: 1000 }, (_, index) => `input${index}`);
  expect(didYouMean('x', many, 'inputs')).toMatch(/`input11`, and 988 more\.$/);
});
