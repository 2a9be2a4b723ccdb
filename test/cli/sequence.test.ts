import { existsSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CliResult, runCli } from '../helpers/cli.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

const inputs = [
  'source=root@a.invalid',
  'destination=root@b.invalid',
  'pids=4711',
  'pids=4712',
  'pids=4713',
].flatMap((input) => ['-i', input]);

let directory: TemporaryDirectory;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory[Symbol.dispose]());

const cli = (...args: readonly string[]): Promise<CliResult> =>
  runCli(args, { cwd: directory.path, env: { XDG_STATE_HOME: directory.at('state') } });

test('plan shows what each run does, in order, under its heading, with the digest of all', async () => {
  const { exitCode, stdout } = await cli('plan', 'evacuate', ...inputs);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(
    /^Evacuate a host\n {2}recipe {2}.*\n {2}runs {4}3, one after another.*\n {2}digest {2}[0-9a-f]{64}\n/,
  );
  expect(stdout.match(/^run \d of 3: .*/gm)).toEqual(
    [1, 2, 3].map((n) => `run ${n} of 3: Move a process to another host with rsync: ${4710 + n}`),
  );
  expect(stdout.match(/commit point: from here/g)).toHaveLength(3);
});

test('plan --json has the forecasts of all runs', async () => {
  const { stdout } = await cli('plan', 'evacuate', ...inputs, '--json');
  expect(JSON.parse(stdout)).toMatchObject({
    ...{
      version: 1,
      kind: 'sequence',
      name: 'Evacuate a host',
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    },
    runs: [4711, 4712, 4713].map((pid, index) => ({
      number: index + 1,
      title: expect.stringContaining(String(pid)),
      forecast: { kind: 'move', source: 'root@a.invalid', workload: `process ${pid}` },
    })),
  });
});

test('validate takes it, and names what is wrong with it or with what it runs', async () => {
  writeFileSync(
    directory.at('s.yaml'),
    'version: 1\nkind: sequence\nname: x\nruns:\n  - { recipe: ./none.yaml }\n',
  );
  const { exitCode, stdout } = await cli('validate', 'evacuate', './s.yaml');
  expect(stdout).toMatch(/^evacuate: ok\ns\.yaml:5:15 {2}error {2}There is no recipe `\.\/none\.yaml`/);
  expect(exitCode).toBe(3);
});

describe('--from', () => {
  test.each([
    [['run', 'evacuate', ...inputs, '--from', '0'], /The number of a run, from 1\./],
    [['run', 'evacuate', ...inputs, '--from', 'last'], /The number of a run, from 1\./],
    [['run', 'evacuate', ...inputs, '--from', '4'], /There is no run 4: with these inputs `evacuate` has 3/],
    [
      ['run', 'process-rsync', '-i', 'source=a', '-i', 'destination=b', '-i', 'pid=1', '--from', '2'],
      /--from is for a sequence, and `process-rsync` is a move/,
    ],
  ])('%j', async (args, message) => {
    const { exitCode, stdout, stderr } = await cli(...args);
    expect(stderr).toMatch(message);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(existsSync(directory.at('state'))).toBe(false);
  });

  test('leaves out those before it, of the checks too', async () => {
    const { exitCode, stdout } = await cli('run', '--check', 'evacuate', ...inputs, '--from', '3');
    expect(stdout.match(/^run \d of 3/gm)).toEqual(['run 3 of 3']);
    expect(stdout.match(/error HOST_UNREACHABLE/g)).toHaveLength(1);
    expect(exitCode).toBe(4);
  });
});

test('when the checks refuse, nothing begins: all that is in the way is told of, each under its run', async () => {
  const { exitCode, stdout } = await cli('run', 'evacuate', ...inputs, '--reporter', 'plain');
  expect(
    stdout.match(/^run \d of 3: .*\nerror HOST_UNREACHABLE: root@a\.invalid cannot be reached/gm),
  ).toHaveLength(3);
  expect(stdout).toMatch(/\n\nEvacuate a host: refused before anything was touched\..*\n$/);
  expect(exitCode).toBe(4);
  expect(existsSync(directory.at('state'))).toBe(false);
});

test('the reporter of JSON prints nothing but lines of it', async () => {
  const { exitCode, stdout } = await cli('run', 'evacuate', ...inputs, '--reporter', 'json');
  const events: readonly { readonly kind: string }[] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(events.map(({ kind }) => kind)).toEqual([
    'sequence-started',
    ...['sequence-run-checked', 'sequence-run-checked', 'sequence-run-checked'],
    'sequence-finished',
  ]);
  expect(events.at(-1)).toMatchObject({ summary: { outcome: 'refused', exitCode: 4 } });
  expect(exitCode).toBe(4);
  const checked = await cli('run', '--check', 'evacuate', ...inputs, '--reporter', 'json');
  expect(JSON.parse(checked.stdout)).toMatchObject({
    exitCode: 4,
    runs: [1, 2, 3].map((number) => ({ number, check: { failure: { code: 'HOST_UNREACHABLE' } } })),
  });
});

test('the first ^C while the hosts are asked ends with 130, and nothing was touched', async () => {
  const silence = directory.at('config');
  writeFileSync(silence, `Host *\n  ProxyCommand tail --pid=${process.pid} -f /dev/null\n`);
  const args = ['run', 'evacuate', ...inputs, '--reporter', 'plain', '--ssh-config', silence];
  const { exitCode, stdout } = await runCli(args, {
    env: { XDG_STATE_HOME: directory.at('state') },
    onStdout: (text, kill) => {
      if (text.includes('are checked')) setTimeout(() => kill('SIGINT'), 300);
    },
  });
  expect(stdout).toMatch(/\nEvacuate a host: interrupted before anything was touched\.\n$/);
  expect(exitCode).toBe(130);
  expect(existsSync(directory.at('state'))).toBe(false);
});

test('recipes show and copy know it', async () => {
  const copied = await cli('recipes', 'copy', 'evacuate');
  expect(copied.stdout).toContain('criu-flow run evacuate.yaml -i source=… -i destination=… -i pids=…');
  expect((await cli('validate', './evacuate.yaml')).exitCode).toBe(0);
});
