import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The seed is fixed: `npm run fuzz` looks for what is new. */
test('random documents are refused with words, or planned; nothing is started, nowhere connected', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['scripts/fuzz.mjs', '600', '20261128'], {
    cwd: root,
  });
  expect(stdout).toMatch(/^fuzz: seed 20261128: .*"documents":600/m);
}, 120_000);
