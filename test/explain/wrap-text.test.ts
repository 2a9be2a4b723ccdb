import { expect, test } from 'vitest';
import { wrapText } from '../../src/explain/wrap-text.ts';

test('breaks at spaces, and never inside of a word', () => {
  expect(wrapText('a bb ccc', 4)).toEqual(['a bb', 'ccc']);
  expect(wrapText('a verylongword b', 4)).toEqual(['a', 'verylongword', 'b']);
  expect(wrapText('short', 80)).toEqual(['short']);
});
