import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FINDINGS } from '../../src/preflight/catalogue.ts';
import { FINDING_CODES, NEVER_ALLOWED } from '../../src/preflight/finding.ts';

test('every finding is explained, in the order in which findings are told', () => {
  expect(Object.keys(FINDINGS)).toEqual(FINDING_CODES);
});

test('every text is one line of Markdown', () => {
  const texts = Object.values(FINDINGS).flatMap(({ means, ifAllowed = '-' }) => [means, ifAllowed]);
  expect(texts.filter((text) => text === '' || /[\n|]/.test(text))).toEqual([]);
});

test('a recipe may allow each, but for those that no run goes past', () => {
  const schema = JSON.parse(
    readFileSync(new URL('../../schemas/recipe.schema.json', import.meta.url), 'utf8'),
  );
  const { allow } = schema.definitions.preflightStep.properties.with.properties;
  expect(allow.items.enum).toEqual(FINDING_CODES.filter((code) => !NEVER_ALLOWED.has(code)));
  const explained = FINDING_CODES.filter((code) => FINDINGS[code].ifAllowed !== undefined);
  expect(explained).toEqual(allow.items.enum);
});
