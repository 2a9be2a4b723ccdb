import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { runCli } from '../helpers/cli.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const cwd = fileURLToPath(new URL('../forecast', import.meta.url));
const tellEffects = fileURLToPath(new URL('../helpers/tell-effects.cjs', import.meta.url));
const inputs = ['-i', 'source=root@a.invalid', '-i', 'destination=root@b.invalid'];
const recipe = ['./rich.yaml', ...inputs];

test('no process is started, no name looked up, no socket opened, no file written', async () => {
  const env = { NODE_OPTIONS: `--require ${tellEffects}`, API_TOKEN: 'hush-hush' };
  const planned = await runCli(['plan', ...recipe], { cwd, env });
  expect(planned).toMatchObject({ exitCode: 0, stderr: '' });
  // What would tell, does.
  const checked = await runCli(['run', '--check', ...recipe], { cwd, env });
  expect(checked.stderr).toContain('EFFECT Process.spawn');
  const effects = `require('net').connect(1, '127.0.0.1').on('error', () => {
    require('child_process').spawnSync('true');
    require('dgram').createSocket('udp4').send('x', 9, '127.0.0.1', () => require('dns').lookup('localhost', () => process.exit()));
  })`;
  const { stderr } = await promisify(execFile)(process.execPath, ['--require', tellEffects, '-e', effects]);
  expect(stderr.split('\n').toSorted()).toEqual([
    ...['', 'EFFECT TCP.connect', 'EFFECT UDP.send', 'EFFECT getaddrinfo', 'EFFECT spawnSync'],
  ]);
  // Node itself refuses processes, threads and writing to files, and ends with 1 when one is tried.
  using directory = temporaryDirectory();
  const allowed = {
    NODE_OPTIONS: '--experimental-permission --allow-fs-read=* --no-warnings',
    // Where no command that was killed has left anything to sweep.
    TMPDIR: directory.path,
  };
  expect(await runCli(['plan', ...recipe], { cwd, env: allowed })).toMatchObject({ exitCode: 0, stderr: '' });
  const refused = await runCli(['run', '--check', ...recipe], { cwd, env: allowed });
  expect(refused).toMatchObject({
    exitCode: 1,
    stdout: expect.stringContaining('Access to this API has been restricted'),
  });
});

test('the value of a secret is in neither form', async () => {
  for (const form of [[], ['--json']]) {
    const env = { API_TOKEN: 'hush-hush' };
    const { exitCode, stdout, stderr } = await runCli(['plan', ...recipe, ...form], { cwd, env });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('<secret token>');
    expect(stdout).not.toContain('hush');
  }
});

test('the digest is the one that a run of it writes down', async () => {
  using directory = temporaryDirectory();
  const env = { XDG_STATE_HOME: directory.path, API_TOKEN: 'hush-hush' };
  const { stdout } = await runCli(['plan', ...recipe, '--json'], { cwd, env });
  const forecast: { readonly digest: string } = JSON.parse(stdout);
  expect((await runCli(['run', ...recipe, '--reporter', 'plain'], { cwd, env })).exitCode).toBe(4);
  const runs = directory.at('criu-flow', 'runs');
  const plan: { readonly digest: string } = JSON.parse(
    readFileSync(`${runs}/${readdirSync(runs)[0]}/plan.json`, 'utf8'),
  );
  expect(forecast.digest).toBe(plan.digest);
});

test('run --check shows the plan with what is in the way, and leaves no run behind', async () => {
  using directory = temporaryDirectory();
  const env = { XDG_STATE_HOME: directory.path };
  const { exitCode, stdout } = await runCli(['run', '--check', ...recipe], { cwd, env });
  expect(stdout).toMatch(/commit point: from here there is no way back[^]*error HOST_UNREACHABLE: /);
  expect(exitCode).toBe(4);
  const json = await runCli(['run', '--check', '--reporter', 'json', ...recipe], { cwd, env });
  expect(JSON.parse(json.stdout)).toMatchObject({
    version: 1,
    check: { findings: [], failure: { code: 'HOST_UNREACHABLE' }, exitCode: 4 },
  });
  expect(existsSync(directory.at('criu-flow'))).toBe(false);
});
