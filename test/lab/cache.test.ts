import { existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { cachedPath, ensureCached } from '../../src/lab/cache.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const MONTH_AGO = new Date(Date.now() - 31 * 24 * 3_600_000);

/** One that counts how often it is built. */
function image(ingredients: unknown) {
  const cached = {
    kind: 'image',
    ingredients,
    builds: 0,
    build: async (directory: string): Promise<void> => {
      cached.builds += 1;
      await mkdir(directory);
      writeFileSync(`${directory}/disk`, JSON.stringify(ingredients));
    },
  };
  return cached;
}

test('what is made from the same is built once, and what is not used for a month is removed when another is built', async () => {
  using cache = temporaryDirectory();
  const [kept, old, other] = [image(['kept']), image(['old']), image(['other'])];
  for (const each of [kept, old]) {
    const directory = await ensureCached(each, cache.path);
    expect(directory).toBe(cachedPath(each, cache.path));
  }
  for (const each of [kept, old]) utimesSync(cachedPath(each, cache.path), MONTH_AGO, MONTH_AGO);
  // To use it counts.
  await ensureCached(kept, cache.path);
  expect(kept.builds).toBe(1);
  expect(statSync(cachedPath(kept, cache.path)).mtimeMs).toBeGreaterThan(MONTH_AGO.getTime());
  await ensureCached(other, cache.path);
  expect([kept, old, other].map((each) => existsSync(cachedPath(each, cache.path)))).toEqual([
    true,
    false,
    true,
  ]);
});

test('a build that was killed leaves nothing for the next, one that is at work goes on', async () => {
  using cache = temporaryDirectory();
  mkdirSync(cache.at('building-4194303-abandoned'));
  mkdirSync(cache.at(`building-${process.pid}-at-work`));
  const failing = {
    ...image(['x']),
    build: async (): Promise<void> => Promise.reject(new Error('no network')),
  };
  await expect(ensureCached(failing, cache.path)).rejects.toThrow('no network');
  expect(readdirSync(cache.path)).toEqual([`building-${process.pid}-at-work`]);
});
