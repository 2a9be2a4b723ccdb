import { expect, test } from 'vitest';
import { runCli } from '../helpers/cli.ts';

/** Mistakes that the command line itself finds, before any recipe or host is looked at. */
const mistakes: readonly (readonly string[])[] = [
  ['rnu'],
  ['run'],
  ['run', 'x', 'y'],
  ['run', 'x', '--inptu', 'a=b'],
  ['run', 'x', '-i'],
  ['run', 'x', '--reporter', 'xml'],
  ['run', 'x', '--lab', 'a', '--ssh-config', 'b'],
  ['run', 'x', '--check', '--keep-images'],
  ['plan'],
  ['validate'],
  ['validate', 'x', '--format', 'xml'],
  ['validate', 'x', '--strict'],
  ['explain', 'dump', 'restore'],
  ['schema', 'input'],
  ['recipes', 'lsit'],
  ['recipes', 'copy'],
  ['completion'],
  ['completion', 'tcsh'],
  ['lab', 'upp'],
  ['lab', 'up', 'a', 'b'],
  ['lab', 'up', '--host', '3'],
  ['lab', 'up', '--hosts', '27'],
  ['lab', 'up', '--hosts', '0'],
  ['lab', 'up', '--rate', '0'],
  ['lab', 'up', '--rate', '1e3'],
  ['lab', 'exec'],
  ['lab', 'exec', 'a'],
  ['lab', 'exec', 'a', 'ls', '-l'],
  ['lab', 'ssh'],
  ['lab', 'down', 'a', '--all'],
  ['lab', 'down', 'a', 'b'],
];

test('a mistake ends with 2, says what is meant and who knows more', async () => {
  const results = await Promise.all(mistakes.map((args) => runCli(args)));
  const text = mistakes.map((args, index) => `$ criu-flow ${args.join(' ')}\n${results[index]?.stderr}`);
  await expect(text.join('\n')).toMatchFileSnapshot('snapshots/wrong-usage.txt');
  for (const { exitCode, stdout } of results)
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
});

test('no command at all is answered with the help, and with 2', async () => {
  const { stdout: help } = await runCli(['--help']);
  expect(await runCli([])).toEqual({ exitCode: 2, stdout: '', stderr: help });
});

test.each([
  '',
  'run',
  'plan',
  'validate',
  'explain',
  'schema',
  'recipes',
  'recipes list',
  'recipes show',
  'recipes copy',
  'status',
  'resume',
  'rollback',
  'doctor',
  'locks',
  'unlock',
  'lab',
  'lab up',
  'lab kill',
  'lab start',
  'lab status',
  'lab exec',
  'lab ssh',
  'lab down',
  'completion',
])('criu-flow %s --help has an example', async (command) => {
  const args = command.split(' ').filter((word) => word !== '');
  const { exitCode, stdout, stderr } = await runCli([...args, '--help']);
  const name = ['help', ...args].join('-');
  await expect(stdout).toMatchFileSnapshot(`snapshots/${name}.txt`);
  expect(stdout).toMatch(/^ {2}criu-flow /m);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
});
