import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LocalHost } from '../../src/host/local.ts';
import { ON_HELD_SCRIPT } from '../../src/steps/on-held-script.ts';
import { readDumpedManifest, readManifest } from '../../src/transfer/manifest.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

test('what was dumped is hashed once, by the hold or by who asks first', async () => {
  using around = temporaryDirectory();
  const host = new LocalHost();
  const { signal } = new AbortController();
  for (const name of ['images', 'dump']) mkdirSync(around.at(name));
  writeFileSync(around.at('images', 'core-1.img'), 'core');
  writeFileSync(around.at('dump', 'held'), '');
  writeFileSync(around.at('dump', 'tasks'), '');
  const made = host.run(['sh', '-c', `cd "$1" && ${ON_HELD_SCRIPT}`, 'sh', around.at('dump')]);
  const dumped = await readDumpedManifest(host, around.at('images'), signal);
  expect(await made).toMatchObject({ exitCode: 0 });
  expect(existsSync(around.at('files.synced'))).toBe(true);
  expect(dumped).toBe(await readManifest(host, around.at('images'), signal));
  writeFileSync(around.at('images', 'core-1.img'), 'another');
  expect(await readDumpedManifest(host, around.at('images'), signal)).toBe(dumped);
});
