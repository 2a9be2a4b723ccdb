import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { main, runCli } from '../helpers/cli.ts';

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
] as const)('%s while it connects ends that at once with %d: nothing was touched', async (name, code) => {
  let isInterrupted = false;
  // A host that was waited for to the end would be unreachable, and the code 4.
  const { exitCode, stderr, stdout } = await runCli(runBy(SILENCE), {
    env,
    onStdout: (_, kill) => {
      if (!isInterrupted) kill(name);
      isInterrupted = true;
    },
  });
  expect(stderr).toBe(
    `criu-flow: ${name}: rolling back, unless the commit is behind. ^C again leaves at once, as it stands.\n`,
  );
  expect(stdout).toContain('Interrupted before anything was touched');
  expect(exitCode).toBe(code);
});

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
