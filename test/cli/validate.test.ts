import { cpSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { runCli } from '../helpers/cli.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const cwd = fileURLToPath(new URL('../recipe/wrong', import.meta.url));
const good = fileURLToPath(new URL('../../recipes/process-rsync.yaml', import.meta.url));

test('one that is not there keeps nobody from hearing of the others, and ends with 2', async () => {
  const { exitCode, stdout } = await runCli(['validate', './none.yaml', 'misspelt-step.yaml', good], { cwd });
  expect(stdout).toMatch(/none\.yaml:1:1 {2}error {2}The recipe none\.yaml cannot be read: there is no such/);
  expect(stdout).toContain('misspelt-step.yaml:9:11  error  There is no step type `restor`');
  expect(stdout).toContain(`${good}: ok\n`);
  expect(exitCode).toBe(2);
});

test('json: an entry for each file, with each finding and its place', async () => {
  const { exitCode, stdout } = await runCli(
    ['validate', '--format', 'json', good, 'misspelt-step.yaml', './none.yaml'],
    { cwd },
  );
  expect(JSON.parse(stdout)).toEqual([
    { file: good, valid: true, findings: [] },
    {
      file: 'misspelt-step.yaml',
      valid: false,
      findings: [
        {
          code: 'wrong-value',
          severity: 'error',
          message: 'There is no step type `restor`',
          hint: expect.stringContaining('restore'),
          file: 'misspelt-step.yaml',
          line: 9,
          column: 11,
        },
      ],
    },
    { file: './none.yaml', valid: false, findings: [expect.objectContaining({ code: 'file', line: 1 })] },
  ]);
  expect(exitCode).toBe(2);
});

test('a warning is found, and the recipe is valid all the same', async () => {
  using directory = temporaryDirectory();
  writeFileSync(
    directory.at('odd.yaml'),
    `version: 1
name: 'Move {{ inputs.pid }}'
hosts: { source: a, destination: b }
workload: { process: { pid: 1 } }
steps: [{ uses: preflight }, { uses: dump }, { uses: transfer/rsync }, { uses: restore }]
`,
  );
  const { exitCode, stdout } = await runCli(['validate', '--format', 'json', 'odd.yaml'], {
    cwd: directory.path,
  });
  expect(JSON.parse(stdout)).toMatchObject([{ valid: true, findings: [{ severity: 'warning', line: 2 }] }]);
  expect(exitCode).toBe(0);
});

test('github: a workflow command for each finding, and nothing for a recipe that is good', async () => {
  const { exitCode, stdout } = await runCli(['validate', '--format', 'github', good, 'misspelt-step.yaml'], {
    cwd,
  });
  expect(stdout).toMatch(
    /^::error file=misspelt-step\.yaml,line=9,col=11::There is no step type `restor`%0A.+\n$/,
  );
  expect(exitCode).toBe(3);
});

// They take 3 s of a processor that nobody else uses; the rest of the time is for those that are shared.
test('a thousand recipes are checked in one call, soon', { timeout: 20_000 }, async () => {
  using directory = temporaryDirectory();
  const files = Array.from({ length: 1000 }, (_, index) => `r${index}.yaml`);
  for (const file of files) cpSync(good.replace('process', 'tcp-service'), directory.at(file));
  const { exitCode, stdout } = await runCli(
    ['validate', '--format', 'json', ...files.map((file) => `./${file}`)],
    { cwd: directory.path },
  );
  expect(JSON.parse(stdout)).toHaveLength(1000);
  expect(exitCode).toBe(0);
});
