import { mkdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LocalHost } from '../../src/host/local.ts';
import { followFetch, followImages } from '../../src/transfer/follow.ts';
import type { TransferProgress } from '../../src/transfer/progress.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const MIB = 1024 ** 2;

async function firstOf(
  follow: (following: Parameters<typeof followImages>[2]) => Promise<void>,
): Promise<TransferProgress | undefined> {
  const end = new AbortController();
  let first: TransferProgress | undefined;
  const onProgress = (progress: TransferProgress): void => {
    first ??= progress;
    end.abort();
  };
  await follow({ totalBytes: 4 * MIB, onProgress, signal: end.signal });
  return first;
}

test('images that come are told of with the rate and the time that is left', async () => {
  using directory = temporaryDirectory();
  mkdirSync(directory.at('images'));
  for (const number of [1, 2])
    writeFileSync(directory.at('images', `pages-${number}.img`), Buffer.alloc(MIB / 2));
  writeFileSync(directory.at('images', 'core-1.img'), Buffer.alloc(MIB));
  const seen = await firstOf((following) => followImages(new LocalHost(), directory.at('images'), following));
  expect(seen).toEqual({ doneBytes: MIB, bytesPerSecond: MIB, remainingMs: 3000 });
});

test('memory that processes fetch is what they have for themselves', async () => {
  const seen = await firstOf((following) => followFetch(new LocalHost(), [process.pid], following));
  expect(seen?.doneBytes).toBeGreaterThan(10 * MIB);
  expect(seen?.doneBytes).toBeLessThan(4096 * MIB);
});

test('it ends with the processes', async () => {
  const options = { totalBytes: 1, onProgress: () => undefined, signal: new AbortController().signal };
  await followFetch(new LocalHost(), [4_194_303], options);
});
