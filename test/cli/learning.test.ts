import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { runCli } from '../helpers/cli.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('explain', () => {
  test('prints a page, or all that there is, for people and for programs', async () => {
    const [page, all, json] = await Promise.all([
      runCli(['explain', 'transfer/rsync']),
      runCli(['explain']),
      runCli(['explain', '8', '--json']),
    ]);
    expect(page.stdout).toContain('remove the copied files from the destination');
    expect(all.stdout).toMatch(/^steps\n {2}preflight {12}Checks both hosts/);
    expect(all.stdout).toMatch(/\nerrors\n(?:.*\n)* {2}HOLD_LOST /);
    expect(JSON.parse(json.stdout)).toMatchObject({ pages: [{ kind: 'exit-code', name: '8' }] });
    for (const { exitCode, stderr } of [page, all, json])
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  });

  test('answers a word that it does not know with the nearest one, and with 2', async () => {
    const { exitCode, stdout, stderr } = await runCli(['explain', 'restor']);
    expect(stderr).toMatch(
      /^error USAGE: There is nothing called `restor` to explain\n.*\n {4}Did you mean `restore`\?/,
    );
    expect(stderr).toContain('run: criu-flow explain restore\n');
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  });
});

test('schema prints the schema, byte by byte, and its help leads an editor there', async () => {
  const { stdout: ofInventory } = await runCli(['schema', 'inventory']);
  expect(ofInventory).toBe(readFileSync(`${root}/schemas/editor/inventory.schema.json`, 'utf8'));
  const { exitCode, stdout } = await runCli(['schema']);
  expect(stdout).toBe(readFileSync(`${root}/schemas/editor/recipe.schema.json`, 'utf8'));
  expect(JSON.parse(stdout)).toMatchObject({ $schema: 'http://json-schema.org/draft-07/schema#' });
  expect(exitCode).toBe(0);
  expect((await runCli(['schema', '--help'])).stdout).toContain('# yaml-language-server: $schema=');
});

describe('recipes', () => {
  test('list says what each is for and what it needs', async () => {
    const { stdout } = await runCli(['recipes', 'list']);
    expect(stdout).toMatch(
      /^process-rsync\n {2}Moves one process, .*\n {2}criu-flow run process-rsync -i source=… /m,
    );
    const { stdout: json } = await runCli(['recipes', 'list', '--json']);
    expect(JSON.parse(json)).toMatchObject([
      { name: 'checkpoint-and-keep-running' },
      { name: 'evacuate', inputs: { pids: { type: 'list', items: 'pid' } } },
      { name: 'process-auto' },
      { name: 'process-post-copy' },
      { name: 'process-pre-copy' },
      { name: 'process-rsync', inputs: { pid: { type: 'pid' } } },
      { name: 'process-sftp' },
      { name: 'process-shared', inputs: { directory: { type: 'path' } } },
      { name: 'process-stream' },
      { name: 'restore-from-checkpoint' },
      { name: 'tcp-service-rsync' },
    ]);
  });

  test('show prints the file', async () => {
    const { stdout } = await runCli(['recipes', 'show', 'process-rsync']);
    expect(stdout).toBe(readFileSync(`${root}/recipes/process-rsync.yaml`, 'utf8'));
  });

  test('copy writes a recipe that is a good one, and the next command is one that works', async () => {
    using directory = temporaryDirectory();
    const { stdout, exitCode } = await runCli(['recipes', 'copy', 'process-rsync'], { cwd: directory.path });
    expect(exitCode).toBe(0);
    expect(stdout).toContain('  criu-flow validate process-rsync.yaml\n');
    expect(stdout).toContain('  criu-flow run process-rsync.yaml -i source=…');
    expect(await runCli(['validate', 'process-rsync.yaml'], { cwd: directory.path })).toMatchObject({
      exitCode: 0,
      stdout: 'process-rsync.yaml: ok\n',
    });
    // It would lead from the directory of the bundled recipes.
    expect(readFileSync(directory.at('process-rsync.yaml'), 'utf8')).not.toContain('../schemas');
  });

  test.each([
    ['moved', 'validate ./moved\n'],
    ['my recipe.yaml', "validate 'my recipe.yaml'\n"],
    ['--force', 'unknown option'],
  ])('copy to %j', async (file, message) => {
    using directory = temporaryDirectory();
    const { stdout, stderr } = await runCli(['recipes', 'copy', 'process-rsync', file], {
      cwd: directory.path,
    });
    expect(stdout + stderr).toContain(message);
    expect(existsSync(directory.at(file))).toBe(!file.startsWith('-'));
  });

  test.each([
    [['copy', 'process-rsync', 'there.yaml'], 'there.yaml is there already, and was left as it is'],
    [['copy', 'process-rsync', 'none/x.yaml'], 'its directory is not there'],
    [['copy', 'process-rsync', '.'], '. is there already'],
    [['copy', 'proces-rsync'], 'Did you mean `process-rsync`?'],
    [['show', '../package'], 'There is no bundled recipe `../package`'],
    [
      ['show', './there.yaml'],
      'The bundled recipes are `checkpoint-and-keep-running`, `evacuate`, `process-auto`, `process-post-copy`',
    ],
  ])('%j is refused with 2', async (args, message) => {
    using directory = temporaryDirectory();
    writeFileSync(directory.at('there.yaml'), 'mine');
    const { exitCode, stdout, stderr } = await runCli(['recipes', ...args], { cwd: directory.path });
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/^\s+at .*:\d+:\d+/m);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(readFileSync(directory.at('there.yaml'), 'utf8')).toBe('mine');
  });
});
