import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { runCli, type CliResult } from '../helpers/cli.ts';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';

describe.skipIf(labSkipReason !== undefined)('criu-flow run, as a person runs it', () => {
  let lab: MigrationLab;
  beforeAll(async () => {
    lab = await MigrationLab.up();
  });
  afterAll(() => lab?.down());
  afterEach(() => lab.reset());

  const processRsync = (
    inputs: Readonly<Record<string, string>>,
    ...more: readonly string[]
  ): Promise<CliResult> =>
    runCli([
      ...['run', 'process-rsync', '--reporter', 'plain', ...more],
      ...Object.entries({ source: 'a', destination: 'b', ...inputs }).flatMap(([name, value]) => [
        '-i',
        `${name}=${value}`,
      ]),
    ]);

  test('the bundled recipe moves a process, by its name', async () => {
    for (const name of ['a', 'b']) await lab.sh(name, 'mkdir -p /srv');
    const pid = await lab.sh('a', 'setsid sleep 4711 < /dev/null > /dev/null 2>&1 & echo $!');
    const { exitCode, stdout } = await processRsync({ pid }, '--lab', lab.lab.name);
    expect(stdout).toContain('Moved: the workload runs on b (the destination).');
    expect(exitCode).toBe(0);
    expect(await lab.processStart('b', Number(pid))).not.toBe('');
    expect(await lab.processStart('a', Number(pid))).toBe('');
  });

  test('JSON lines are JSON, and nothing else is on standard output', async () => {
    const pid = await lab.sh('a', 'setsid sleep 4711 < /dev/null > /dev/null 2>&1 & echo $!');
    const { exitCode, stdout } = await processRsync({ pid }, '--lab', lab.lab.name, '--reporter', 'json');
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line): { readonly kind: string } => JSON.parse(line));
    expect(events.at(0)?.kind).toBe('run-started');
    expect(events.at(-1)?.kind).toBe('run-finished');
    expect(exitCode).toBe(0);
  });

  test('a real ^C in the middle rolls back and ends with 130', async () => {
    const pid = await lab.startCounter({ memoryMiB: 16 });
    const recipe = lab.writeRecipe({
      workload: `pid: ${pid}`,
      files: ['/srv/counter'],
      steps: '- uses: preflight\n- uses: dump\n- uses: transfer/rsync\n- uses: restore',
    });
    const { exitCode, stdout, stderr } = await runCli(
      ['run', recipe, '--lab', lab.lab.name, '--reporter', 'plain'],
      {
        onStdout: (text, kill) => {
          if (text.includes('phase transfer')) kill('SIGINT');
        },
      },
    );
    expect(stderr).toContain('rolling back');
    expect(stdout).toContain('Interrupted and rolled back: the workload runs on a (the source).');
    expect(exitCode).toBe(130);
    expect(await lab.processStart('a', pid)).not.toBe('');
  });

  /** One clear message with its place, and never a stack trace. */
  const expectRefusal = ({ exitCode, stdout, stderr }: CliResult, message: RegExp): void => {
    expect(stdout).toMatch(message);
    expect(`${stdout}${stderr}`).not.toMatch(/^\s+at .*:\d+:\d+/m);
    expect(exitCode).toBe(4);
  };

  test('a pid that does not exist', async () => {
    expectRefusal(
      await processRsync({ pid: '999999' }, '--lab', lab.lab.name),
      /WORKLOAD_NOT_FOUND: .*999999[^]*host: a/,
    );
  });

  test('a host that is not known', async () => {
    expectRefusal(
      await processRsync({ pid: '1', destination: 'nowhere.invalid' }, '--lab', lab.lab.name),
      /HOST_UNREACHABLE: .*nowhere\.invalid/,
    );
  });

  test('a host whose key is not known, and one whose key has changed', async () => {
    const config = readFileSync(lab.lab.sshConfigFile, 'utf8');
    const knownHosts = readFileSync(`${lab.lab.directory}/known_hosts`, 'utf8').trimEnd().split('\n');
    const write = (name: string, lines: readonly string[]): string => {
      writeFileSync(join(lab.directory, `${name}-known_hosts`), `${lines.join('\n')}\n`);
      const file = join(lab.directory, `${name}-config`);
      writeFileSync(
        file,
        config.replaceAll(`${lab.lab.directory}/known_hosts`, join(lab.directory, `${name}-known_hosts`)),
      );
      return file;
    };
    const [a = '', b = '', c = ''] = knownHosts;
    expectRefusal(
      await processRsync({ pid: '1' }, '--ssh-config', write('unknown', [a, c])),
      /HOST_KEY_UNKNOWN: [^]*host: b/,
    );
    const stolen = `${b.split(' ')[0]} ${c.split(' ').slice(1).join(' ')}`;
    expectRefusal(
      await processRsync({ pid: '1' }, '--ssh-config', write('changed', [a, stolen, c])),
      /HOST_KEY_CHANGED: [^]*host: b/,
    );
  });

  test('a workload whose program the destination lacks is refused with what to do', async () => {
    await lab.sh('a', 'cp /usr/bin/sleep /srv/own-sleep');
    const pid = await lab.sh('a', 'setsid /srv/own-sleep 4711 < /dev/null > /dev/null 2>&1 & echo $!');
    expectRefusal(
      await processRsync({ pid }, '--lab', lab.lab.name),
      /PREFLIGHT_REFUSED: [^]*\/srv\/own-sleep is missing on b/,
    );
    await lab.sh('a', 'kill "$1"', pid);
  });
});
