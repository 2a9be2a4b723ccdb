import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { main, runCli } from '../helpers/cli.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const ANSWERS =
  'Move nginx\nunit\nnginx.service\nroot@a\nroot@b\n\n10.0.0.9/24\n\n/srv/www\nhttp\nhttp://10.0.0.9/\n';

test('asks, writes a recipe that is a good one, and says what comes next', async () => {
  using directory = temporaryDirectory();
  const options = { cwd: directory.path, stdin: ANSWERS };
  const { exitCode, stdout, stderr } = await runCli(['init', 'my.yaml'], options);
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('[pidFile]:') });
  expect(stdout).toMatch(/^my\.yaml is written\. Read it, then:\n {2}criu-flow validate my\.yaml /);
  expect(await runCli(['validate', 'my.yaml'], options)).toMatchObject({
    exitCode: 0,
    stdout: 'my.yaml: ok\n',
  });
});

test('on a terminal a person sees what they type', async () => {
  using directory = temporaryDirectory();
  const seen = await new Promise<string>((resolve) => {
    const command = `${process.execPath} ${main} init my.yaml`;
    const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: directory.path });
    const answers: [string, string][] = [
      ['for people:', 'Move the tram\r'],
      ['[pidFile]:', '\u0004'],
    ];
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (data: string) => {
      text += data;
      // Each when it is asked for: what comes sooner, the terminal itself shows.
      if (answers[0] && text.includes(answers[0][0])) child.stdin.write(answers.shift()?.[1] ?? '');
    });
    child.on('close', () => resolve(text));
  });
  expect(seen).toMatch(/for people: .*Move the tram/s);
});

test('leaves a file that is there as it is', async () => {
  using directory = temporaryDirectory();
  writeFileSync(directory.at('my.yaml'), 'mine');
  // Before anything is asked: there is no answer.
  expect(await runCli(['init', 'my.yaml'], { cwd: directory.path })).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('my.yaml is there already'),
  });
  expect(readFileSync(directory.at('my.yaml'), 'utf8')).toBe('mine');
});

test.each([
  ['an answer that will not do', 'Move nginx\nunits\n', 2, 'It cannot be `units`'],
  ['no answer where one is needed', '\n', 2, 'An answer is needed here'],
  ['an end before the end', 'Move nginx\n', 130, 'nothing was written'],
])('writes nothing after %s', async (_, stdin, exitCode, message) => {
  using directory = temporaryDirectory();
  expect(await runCli(['init', 'my.yaml'], { cwd: directory.path, stdin })).toMatchObject({
    exitCode,
    stderr: expect.stringContaining(message),
  });
  expect(existsSync(directory.at('my.yaml'))).toBe(false);
});
