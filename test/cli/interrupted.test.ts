import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCli } from '../helpers/cli.ts';

let directory = '';
let env: NodeJS.ProcessEnv = {};
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'criu-flow-cli-'));
  env = { XDG_STATE_HOME: directory };
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A run that only tries to connect, by this program in the place of a network. */
function runBy(proxyCommand: string): string[] {
  const file = join(mkdtempSync(join(directory, 'ssh-')), 'config');
  writeFileSync(file, `Host *\n  ProxyCommand ${proxyCommand}\n`);
  const inputs = ['source=a', 'destination=b', 'pid=1'].flatMap((input) => ['-i', input]);
  return ['run', 'process-rsync', '--reporter', 'plain', '--ssh-config', file, ...inputs];
}

/** Never answers, and ends when this process does. */
const SILENCE = `tail --pid=${process.pid} -f /dev/null`;

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('the second %s leaves at once with %d, and what that leads to is told', async (name, code) => {
  let isInterrupted = false;
  const { exitCode, stderr } = await runCli(runBy(SILENCE), {
    env,
    onStdout: (_, kill) => {
      if (!isInterrupted) kill(name);
      isInterrupted = true;
    },
    onStderr: (text, kill) => {
      if (text.includes('^C again')) kill(name);
    },
  });
  expect(stderr).toBe(
    [
      `criu-flow: ${name}: rolling back, unless the commit is behind. ^C again leaves at once.`,
      'The workload then runs on at the source by itself within 30 s, unless it was committed: criu-flow status RUN tells, rollback or resume puts right.',
      `criu-flow: ${name} again: left without rolling back.`,
      'The workload then runs on at the source by itself within 30 s, unless it was committed: criu-flow status RUN tells, rollback or resume puts right.',
      '',
    ].join('\n'),
  );
  expect(exitCode).toBe(code);
});

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

test('a reader that goes away does not end the run', async () => {
  const child = spawn(process.execPath, [main, ...runBy('false')], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.destroy();
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  expect(await once(child, 'close')).toEqual([4, null]);
  expect(stderr).toBe('');
});

test('a full disk does not end the run, and is told of', async () => {
  const child = spawn(process.execPath, [main, ...runBy('false')], {
    env: { ...process.env, ...env },
    stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
  });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  expect(await once(child, 'close')).toEqual([4, null]);
  expect(stderr).toMatch(/^criu-flow: standard output cannot be written, going on: ENOSPC.*\n$/);
});
