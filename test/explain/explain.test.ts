import { describe, expect, test } from 'vitest';
import { explain, topics } from '../../src/explain/explain.ts';
import { formatExplanation, formatTopics } from '../../src/explain/format-page.ts';
import { createPaint } from '../../src/report/format.ts';

const options = { paint: createPaint(false), width: 100 };
const textOf = async (word: string): Promise<string> => formatExplanation(await explain(word), options);

test.each([
  'dump',
  'commit',
  'command',
  'approve',
  'block',
  'secret',
  'enum',
  'LOCKED',
  '6',
  'checks',
  'from',
])('the page of %s', async (word) => {
  await expect(`${await textOf(word)}\n`).toMatchFileSnapshot(`snapshots/${word}.txt`);
});

test('everything that is listed can be explained, in lines that are not too long', async () => {
  const words = topics().flatMap(({ words: some }) => some.map(({ name }) => name));
  expect(words.length).toBeGreaterThan(140);
  for (const word of words) {
    const { pages } = await explain(word);
    expect(pages.length, word).toBeGreaterThan(0);
    expect(pages.map(({ name }) => name).filter((name) => name !== word)).toEqual([]);
    const text = await textOf(word);
    expect(text).not.toMatch(/undefined|\[object|\n\n\n/);
    // Commands and examples are not broken.
    expect(text.split('\n').filter((line) => line.length > 110)).toEqual([]);
  }
  const lines = formatTopics(topics(), options).split('\n');
  expect(lines.filter((line) => line.length > 100)).toEqual([]);
});

describe('a word that means several things', () => {
  test('is first a step, an input type, or a key at the top, and says how to ask for the others', async () => {
    expect((await explain('command')).pages.map(({ kind }) => kind)).toEqual(['step']);
    expect((await explain('path')).pages.map(({ kind }) => kind)).toEqual(['input-type']);
    const { pages, seeAlso } = await explain('rollback');
    expect(pages).toMatchObject([{ kind: 'key', places: ['rollback'] }]);
    expect(seeAlso).toEqual(['preflight.rollback']);
  });

  test('has a page for each key that says something else', async () => {
    const { pages } = await explain('timeout');
    expect(pages.map((page) => page.kind === 'key' && page.default)).toEqual([
      '1m',
      '2m',
      '1h',
      '5m',
      '5s',
      '5s',
      '1m',
    ]);
  });

  test.each(['dump', 'command', 'path', 'rollback', 'checks'])(
    'what %s points to is explained as a key',
    async (word) => {
      const { seeAlso } = await explain(word);
      expect(seeAlso.length).toBeGreaterThan(0);
      for (const path of seeAlso) {
        expect((await explain(path)).pages).toMatchObject([{ kind: 'key', name: word }]);
      }
    },
  );
});

test.each([
  ['command.with.shell', 'shell'],
  ['inputs.type', 'type'],
  ['inputs.NAME.type', 'type'],
  ['http.url', 'url'],
])('%s is the key %s', async (word, name) => {
  expect((await explain(word)).pages).toMatchObject([{ kind: 'key', name }]);
});

test('an error is known in small letters too', async () => {
  expect((await explain('hold_lost')).pages).toMatchObject([{ kind: 'error', name: 'HOLD_LOST' }]);
});

test.each([
  ['restor', 'restore'],
  ['DUMP_FAILD', 'DUMP_FAILED'],
  ['exitCode', 'exitCodes'],
])('%s is answered with %s, and with all there is', async (word, meant) => {
  await expect(explain(word)).rejects.toMatchObject({
    code: 'USAGE',
    hint: expect.stringMatching(
      new RegExp(
        `^Did you mean \`${meant}\`\\?\\nThe steps are preflight, [^.]*recipe\\.\\nThe input types `,
      ),
    ),
    command: `criu-flow explain ${meant}`,
  });
});

test.each(['', 'x'.repeat(10_000), '\u001b[2J', '__proto__', 'constructor', '.'])(
  'a word that is nothing like any: %j',
  async (word) => {
    await expect(explain(word)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.not.stringContaining('\u001b'),
      command: 'criu-flow explain',
    });
  },
);
