import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { labKillHost, labStartHost } from '../../src/lab/lab.ts';
import { type CliResult, runCli } from '../helpers/cli.ts';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';

const NUMBERS = '/srv/counter/numbers';

describe.skipIf(labSkipReason !== undefined)('onFailure: revert', () => {
  let lab: MigrationLab;
  beforeAll(async () => {
    lab = await MigrationLab.up();
  });
  afterAll(() => lab?.down());
  afterEach(() => lab.reset());

  const run = (recipe: string): Promise<CliResult> =>
    runCli(['run', recipe, '--lab', lab.lab.name, '--reporter', 'plain']);
  const newestRun = (): string =>
    readdirSync(join(lab.directory, 'state', 'criu-flow', 'runs'))
      .toSorted()
      .at(-1) ?? '';
  /** Moves a counter from a to b, and fails there after these steps. */
  const counterRecipe = (pid: number, after: string): string =>
    lab.writeRecipe({
      workload: `pid: ${pid}`,
      files: ['/srv/counter'],
      steps: `- uses: preflight\n- uses: dump\n- uses: transfer/rsync\n- uses: restore\n- uses: commit\n${after}\n`,
      more: 'onFailure: revert',
    });
  /** Runs a service recipe that fails after its commit, and kills the controller in the run that reverts it. @returns what it said */
  const killedInRevert = async (moment: string): Promise<string> => {
    let text = '';
    await runCli(
      ['run', serviceRecipe(shell('destination', 'false')), '--lab', lab.lab.name, '--reporter', 'plain'],
      {
        onStdout: (piece, kill) => {
          text += piece;
          const [, second = ''] = text.split('(onFailure: revert)');
          if (second.includes(moment)) kill('SIGKILL');
        },
      },
    );
    return text;
  };
  /** Does what `status` advises of the newest run until it has no more to say. */
  const followStatus = async (): Promise<void> => {
    const cli = (...args: readonly string[]): Promise<CliResult> => runCli([...args, '--lab', lab.lab.name]);
    let { exitCode, stdout } = await cli('status', newestRun());
    for (let round = 0; exitCode !== 0 && round < 3; round += 1) {
      const [, verb = '', id = ''] = /criu-flow (resume|rollback) (\S+)/.exec(stdout) ?? [];
      expect(verb, stdout).not.toBe('');
      await cli(verb, id);
      ({ exitCode, stdout } = await cli('status', newestRun()));
    }
    expect(exitCode, stdout).toBe(0);
  };
  const serviceRecipe = (after: string): string =>
    lab.writeRecipe({
      workload: 'pidFile: /srv/tcp/pid',
      network: `connections: keep, address: { cidr: ${lab.lab.serviceAddress} }`,
      files: ['/srv/tcp'],
      steps: `- uses: preflight\n- uses: dump\n- uses: transfer/rsync\n- uses: restore\n${after}\n`,
      more: 'onFailure: revert',
    });
  /** The service has its address there, and nowhere else, and answers a new client. */
  const expectServing = async (host: string): Promise<void> => {
    for (const each of ['a', 'b'])
      expect(await lab.sh(each, `ip -o address show to ${lab.address} | wc -l`)).toBe(
        each === host ? '1' : '0',
      );
    const ask =
      'import socket,sys; s = socket.create_connection((sys.argv[1], 7000), 10); s.sendall(b"9\\n"); print(s.recv(99).decode())';
    expect(await lab.sh('c', 'ip neigh flush dev eth0; python3 -c "$1" "$2"', ask, lab.address)).toMatch(
      /^9 \d+$/,
    );
  };
  const shell = (on: string, script: string): string =>
    `- { uses: command, irreversible: it is a test, with: { on: ${on}, argv: [sh, -c, '${script}'] } }`;
  const numbers = async (host: string): Promise<readonly number[]> =>
    (await lab.sh(host, `cut -d ' ' -f 1 ${NUMBERS}`)).split('\n').map(Number);
  const untilCounted = (host: string, more: number): Promise<string> =>
    lab.sh(
      host,
      `want=$(($(wc -l < ${NUMBERS}) + $1)); until [ "$(wc -l < ${NUMBERS})" -ge "$want" ]; do sleep 0.05; done`,
      String(more),
    );
  /** The counter runs on a host, from where it was when it moved: no number twice, none left out. */
  const expectCounting = async (host: string, pid: number): Promise<void> => {
    await untilCounted(host, 10);
    const found = await numbers(host);
    expect(found).toEqual(found.map((_, index) => index + 1));
    expect(await lab.processStart(host, pid)).not.toBe('');
  };
  /** Nothing is left of the runs, but of a workload that stayed where it had moved to the images of that moment. */
  const expectClean = async (hasImages = false): Promise<void> => {
    const find = 'find /var/lib/criu-flow -mindepth 1 ! -path "*/checkpoints*"; nft list ruleset';
    for (const host of ['a', 'b']) expect(await lab.sh(host, find)).toBe('');
    const kept = await lab.sh('a', 'ls /var/lib/criu-flow/checkpoints 2> /dev/null || :');
    expect(kept).toMatch(hasImages ? /^revert-\S+$/ : /^$/);
  };

  test('what fails its check on the destination is ended there, and goes on from its images on the source', async () => {
    const pid = await lab.startCounter({ memoryMiB: 16 });
    const ended = await run(
      counterRecipe(
        pid,
        shell(
          'destination',
          'until [ "$(wc -l < /srv/counter/numbers)" -gt 300 ]; do sleep 0.05; done; false',
        ),
      ),
    );
    expect(ended.exitCode, ended.stdout).toBe(5);
    expect(ended.stdout).toContain('the workload is ended on b, and restored on a as it was when it moved');
    expect(await lab.processStart('b', pid)).toBe('');
    await expectCounting('a', pid);
    await expectClean();
  });

  test('what has died on the destination goes on from its images on the source', async () => {
    const pid = await lab.startCounter();
    const ended = await run(counterRecipe(pid, shell('destination', `kill -KILL ${pid}`)));
    expect(ended.exitCode, ended.stdout).toBe(5);
    await expectCounting('a', pid);
    await expectClean();
  });

  test('what was started again on the destination, after it had died there, is left alone, and a person is told', async () => {
    const pid = await lab.startCounter();
    const again = `kill -KILL ${pid}; setsid python3 /shared/examples/counter/counter.py /srv/counter/numbers 5 0 < /dev/null > /dev/null 2>&1 & sleep 0.5; false`;
    const ended = await run(counterRecipe(pid, shell('destination', again)));
    expect(ended.exitCode, ended.stdout).toBe(6);
    expect(ended.stdout).toMatch(/has ended on b, but for process \d+, or was started again there/);
    expect(ended.stdout).toMatch(/are checkpoint 1 of revert-\S+ on a, for a recipe of `kind: restore`/);
    expect(await lab.processStart('a', pid)).toBe('');
    await expectClean(true);
    await lab.sh('a', 'rm -rf /var/lib/criu-flow/checkpoints');
  });

  test('the service comes back with its address and without its connections; new clients find it', async () => {
    const pid = await lab.startService();
    const ended = await run(
      serviceRecipe(
        '- { uses: verify, with: { checks: [{ tcp: { address: 127.0.0.1, port: 1, from: destination, timeout: 1s } }] } }',
      ),
    );
    expect(ended.exitCode, ended.stdout).toBe(5);
    expect(await lab.processStart('a', pid)).not.toBe('');
    expect(await lab.processStart('b', pid)).toBe('');
    await expectServing('a');
    await expectClean();
  });

  test('a copy that still runs on the destination is left there when the images cannot come to life', async () => {
    const pid = await lab.startCounter();
    const again =
      'setsid python3 /shared/examples/counter/counter.py /srv/counter/numbers 5 0 < /dev/null > /dev/null 2>&1 & sleep 0.5; false';
    const ended = await run(counterRecipe(pid, shell('source', again)));
    expect(ended.exitCode, ended.stdout).toBe(7);
    expect(ended.stdout).toMatch(
      /PREFLIGHT_REFUSED: [^\n]*The program of the workload runs on a again, process \d+/,
    );
    expect(ended.stdout).toContain(
      'Refused before anything was touched: the workload runs on b (the source)',
    );
    expect(ended.stdout).toMatch(/are checkpoint 1 of revert-\S+ on a\. It runs without them: rm -r \S+/);
    await expectCounting('b', pid);
    await lab.sh('a', 'rm -rf /var/lib/criu-flow/checkpoints');
  });

  test.each(['phase prepare', 'phase restore', 'phase commit', 'phase release'])(
    'the controller is killed at its %s: what status advises leaves one copy, with its address',
    async (moment) => {
      const pid = await lab.startService();
      const text = await killedInRevert(moment);
      await followStatus();
      const runsOn = (await lab.processStart('a', pid)) === '' ? 'b' : 'a';
      // Its decision may have been on its way.
      if (moment !== 'phase commit') expect(runsOn, text).toBe(moment === 'phase release' ? 'a' : 'b');
      expect(await lab.processStart(runsOn === 'a' ? 'b' : 'a', pid)).toBe('');
      await expectServing(runsOn);
      await expectClean(runsOn === 'b');
      await lab.sh('a', 'rm -rf /var/lib/criu-flow/checkpoints');
    },
  );

  test('a host that loses its power, and the copy that was to be ended with it, is in the way of nothing', async () => {
    const pid = await lab.startService();
    await killedInRevert('phase restore');
    await labKillHost(lab.lab.name, 'b');
    await labStartHost(lab.lab.name, 'b');
    const status = await runCli(['status', newestRun(), '--lab', lab.lab.name]);
    expect(status.stdout).toContain(
      'The workload runs neither on b nor on a: its images, of the moment in which it moved, are on a.',
    );
    expect(status.stdout).toContain(`criu-flow resume ${newestRun()}`);
    const resumed = await runCli(['resume', newestRun(), '--lab', lab.lab.name]);
    expect(resumed.exitCode, resumed.stdout).toBe(0);
    expect(await lab.processStart('a', pid)).not.toBe('');
    await expectServing('a');
    await expectClean();
  });
});
