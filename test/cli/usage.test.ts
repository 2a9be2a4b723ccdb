import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { version } from '../../src/package/version.ts';
import { runCli } from '../helpers/cli.ts';

const cwd = fileURLToPath(new URL('../recipe/wrong', import.meta.url));

describe('a mistake on the command line ends with 2 and says what is meant', () => {
  test.each([
    [['rnu'], /unknown command 'rnu'\n\(Did you mean run\?\)/],
    [['run'], /missing required argument 'recipe'/],
    [['run', 'process-rsync', '--reporter', 'xml'], /'xml' is invalid.*tree, plain, json/],
    [['run', 'proces-rsync'], /There is no bundled recipe proces-rsync\n.*Did you mean process-rsync\?/],
    [['run', './none.yaml'], /none\.yaml cannot be read: there is no such file/],
    [['run', 'process-rsync', '-i', 'source'], /`source` is not NAME=VALUE/],
    [
      ['run', 'process-rsync', '-i', 'surce=a', '-i', 'destination=b', '-i', 'pid=1'],
      /There is no input `surce`. Did you mean `source`\?/,
    ],
    [
      ['run', 'process-rsync', '-i', 'source=a', '-i', 'destination=b', '-i', 'pid=many'],
      /The input `pid` must be a process id from 1 to 4194304, not "many"/,
    ],
    [
      ['run', 'process-rsync', '-i', 'source=a', '-i', 'destination=-oProxyCommand=x', '-i', 'pid=1'],
      /The input `destination` must be a host as ssh names it/,
    ],
    [['run', 'process-rsync'], /Add -i source=… -i destination=… -i pid=…/],
    [
      ['run', 'process-rsync', '--lab', 'nowhere', '-i', 'source=a', '-i', 'destination=b', '-i', 'pid=1'],
      /no lab nowhere/,
    ],
    [['lab', 'down', 'nowhere'], /There is no lab nowhere/],
    [['lab', 'down', '../../etc'], /cannot be the name of a lab/],
    [['lab', 'up', 'x', '--hosts', 'A,b'], /"A" cannot be the name of a host/],
    [['lab', 'up', 'x', '--rate', 'fast'], /whole number of megabits/],
  ])('%j', async (args, message) => {
    const { exitCode, stdout, stderr } = await runCli(args, { cwd });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at .*:\d+:\d+/m);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  });
});

test('a recipe that is not valid ends with 3, with the place of each mistake', async () => {
  const { exitCode, stderr } = await runCli(['run', 'misspelt-key.yaml'], { cwd });
  expect(stderr).toContain('misspelt-key.yaml:4:1  error  There is no key `wrkload` in the recipe');
  expect(exitCode).toBe(3);
});

test('validate names every mistake of every recipe, and says ok of the others', async () => {
  const { exitCode, stdout } = await runCli(['validate', 'process-rsync', 'misspelt-step.yaml'], { cwd });
  expect(stdout).toContain('process-rsync: ok\n');
  expect(stdout).toContain('misspelt-step.yaml:9:11  error  There is no step type `restor`');
  expect(exitCode).toBe(3);
});

test('--version is the version of package.json, --help has an example', async () => {
  expect(await runCli(['--version'])).toEqual({ exitCode: 0, stdout: `${version()}\n`, stderr: '' });
  const { exitCode, stdout } = await runCli(['--help']);
  expect(stdout).toContain('criu-flow run process-rsync -i source=root@a');
  expect(exitCode).toBe(0);
});
