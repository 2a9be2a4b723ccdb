import { existsSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { preDump, untilPreDumpsEnd } from '../../src/criu/pre-dump.ts';
import { LocalHost } from '../../src/host/local.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

const host = new LocalHost();
let directory: TemporaryDirectory;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory[Symbol.dispose]());

const kept: string[] = [];
const begin = (script: string, signal = new AbortController().signal): Promise<number> =>
  preDump(
    host,
    {
      directory: directory.at('round-1'),
      imagesDirectory: directory.at('images', 'round-1'),
      argv: ['sh', '-c', script, 'criu', directory.path],
    },
    { signal, keep: (name) => kept.push(name) },
  );

test('tells how much memory was written', async () => {
  const script =
    'cd "$1/images/round-1" && echo 1234567 > pages-1.img && echo 12 > pages-2.img && echo x > core-1.img';
  expect(await begin(script)).toBe(11);
  // Nothing was written to since.
  directory[Symbol.dispose]();
  directory = temporaryDirectory();
  expect(await begin(':')).toBe(0);
});

test('that fails says why in criu’s own line', async () => {
  const script =
    'echo "(00.1) Error (criu/mem.c:1): Soft-dirty is not there" > "$1/round-1/pre-dump.log"; exit 1';
  await expect(begin(script)).rejects.toMatchObject({
    code: 'DUMP_FAILED',
    message: 'criu pre-dump on local ended with exit code 1',
    evidence: 'Error (criu/mem.c:1): Soft-dirty is not there',
  });
  expect(kept).toContain('pre-dump.log');
});

test.each([
  ['die "no room\\n"', 'no room'],
  ['print STDERR "compare: no room\\n"; print STDERR "ssh: gone\\n"; exit 255', 'no room'],
])('that is compared says why in Perl’s own words: %s', async (program, evidence) => {
  const failing = preDump(
    host,
    {
      directory: directory.at('round-1'),
      imagesDirectory: directory.at('images', 'round-1'),
      argv: ['perl', '-e', program],
    },
    { signal: new AbortController().signal, keep: () => undefined },
  );
  await expect(failing).rejects.toMatchObject({
    code: 'DUMP_FAILED',
    message: 'Reading the memory on local ended with exit code 255',
    evidence,
  });
});

test('that nobody waits for any more comes to its end, and who cleans up waits for that', async () => {
  const interrupted = new AbortController();
  const script = 'touch "$1/at-work"; until [ -e "$1/go" ]; do sleep 0.05; done; touch "$1/over"';
  const round = begin(script, interrupted.signal);
  round.catch(() => undefined);
  await expect.poll(() => existsSync(directory.at('at-work')), { timeout: 20_000 }).toBe(true);
  interrupted.abort();
  await expect(round).rejects.toMatchObject({ code: 'INTERRUPTED' });
  const ends = untilPreDumpsEnd(host, [directory.at('round-1'), directory.at('round-2')]).then(() =>
    existsSync(directory.at('over')),
  );
  expect(existsSync(directory.at('over'))).toBe(false);
  writeFileSync(directory.at('go'), '');
  expect(await ends).toBe(true);
});
