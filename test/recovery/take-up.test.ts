import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { labKillHost, labStartHost } from '../../src/lab/lab.ts';
import { type CliResult, runCli } from '../helpers/cli.ts';
import { labSkipReason } from '../helpers/migration-lab.ts';
import { MOVE_STEPS, MovingService } from '../helpers/moving-service.ts';
import { paste } from '../helpers/paste.ts';

/** Where the controller is killed: when its report says that this begins. */
const MOMENTS = [
  'phase prepare',
  'phase freeze',
  'phase transfer',
  'phase restore',
  'phase commit',
  'phase release',
  'phase clean-up',
] as const;

describe.skipIf(labSkipReason !== undefined)('a run whose controller is killed', () => {
  const service = new MovingService();
  const { cli, recipe, newestRun, killedAt, expectOnly } = service;

  test.each(MOMENTS)('%s: resume brings it to its end', async (moment) => {
    const run = await killedAt(moment);
    const resumed = await cli('resume', run);
    expect(resumed.exitCode, resumed.stdout + resumed.stderr).toBe(0);
    expect(resumed.stdout).toContain('the workload runs on b (the destination).');
    await expectOnly('b');
    // Idempotent, and it says so.
    expect(await cli('resume', run)).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('nothing to do'),
    });
    expect(await cli('status', run)).toMatchObject({ exitCode: 0, stdout: 'The workload runs on b.\n' });
  });

  test.each(MOMENTS)('%s: rollback takes it back, or says that it is past the commit', async (moment) => {
    const run = await killedAt(moment);
    const status = await cli('status', run);
    const rolledBack = await cli('rollback', run);
    if (rolledBack.exitCode === 4) {
      expect(['phase commit', 'phase release', 'phase clean-up']).toContain(moment);
      expect(rolledBack.stdout + rolledBack.stderr).toContain(`criu-flow resume ${run}`);
      expect(status).toMatchObject({
        exitCode: 6,
        stdout: expect.stringContaining(`criu-flow resume ${run}`),
      });
      expect(await cli('resume', run)).toMatchObject({ exitCode: 0 });
      await expectOnly('b');
      return;
    }
    expect(rolledBack.exitCode, rolledBack.stdout + rolledBack.stderr).toBe(0);
    expect(rolledBack.stdout).toContain('Rolled back: the workload runs on a (the source).');
    await expectOnly('a');
    expect(await cli('rollback', run)).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('nothing to do'),
    });
  });

  test('killed when all was done but its last line: resume finds nothing more to do, rollback ends no copy', async () => {
    expect(
      (await runCli(['run', recipe(), '--lab', service.lab.lab.name, '--reporter', 'plain'])).exitCode,
    ).toBe(0);
    const run = newestRun();
    const journal = join(service.runsDirectory, run, 'journal.jsonl');
    const lines = readFileSync(journal, 'utf8').trimEnd().split('\n');
    writeFileSync(journal, `${lines.slice(0, -1).join('\n')}\n`);
    expect(await cli('rollback', run)).toMatchObject({ exitCode: 4 });
    await expectOnly('b');
    const resumed = await cli('resume', run);
    expect(resumed.exitCode, resumed.stdout + resumed.stderr).toBe(0);
    await expectOnly('b');
  });

  test('a controller that was frozen, and taken over from, does no harm when it wakes up', async () => {
    let frozen: Promise<CliResult> | undefined;
    let wake = (): void => undefined;
    const run = await new Promise<string>((resolve) => {
      frozen = runCli(['run', recipe(), '--lab', service.lab.lab.name, '--reporter', 'plain'], {
        onStdout: (text, kill) => {
          if (!text.includes('phase transfer\n')) return;
          kill('SIGSTOP');
          wake = () => kill('SIGCONT');
          resolve(newestRun());
        },
      });
    });
    const refused = await cli('rollback', run);
    expect(refused).toMatchObject({ exitCode: 8 });
    expect(refused.stdout + refused.stderr).toMatch(/LOCKED: .*still at work[^]*--take-over/);
    expect(await cli('rollback', run, '--take-over')).toMatchObject({ exitCode: 0 });
    expect(await service.lab.untilAnswered(20)).toMatchObject({ connected: true, lost: 0, duplicated: 0 });
    wake();
    const woken = await frozen;
    expect(woken?.exitCode, woken?.stdout).toBe(8);
    expect(woken?.stdout).toContain('SUPERSEDED');
    await expectOnly('a');
  });

  /** As if another machine drove the run. */
  const moveController = async (run: string, machine: string): Promise<void> => {
    for (const host of ['a', 'b']) {
      const file = `/var/lib/criu-flow/locks/${run}`;
      await service.lab.sh(
        host,
        `sed -i 's/"machine":"[^"]*"/"machine":"${machine}"/; s/"bootId":"[^"]*"/"bootId":"x"/' ${file}`,
      );
    }
  };

  test('a controller on another machine is not taken over from unless a person says so; short ids do', async () => {
    const run = await killedAt('phase transfer');
    await moveController(run, 'another-machine');
    const short = run.slice(-4);
    for (const verb of ['rollback', 'resume']) {
      const refused = await cli(verb, short);
      expect(refused.exitCode, refused.stdout + refused.stderr).toBe(8);
      expect(refused.stdout + refused.stderr).toMatch(
        /LOCKED: Whether run \S+ is still at work cannot be seen from here[^]*Look on another-machine: “ps -fp \d+” [^]*--take-over/,
      );
    }
    const status = await cli('status', short);
    expect(status).toMatchObject({
      exitCode: 6,
      stdout: expect.stringContaining(`criu-flow rollback ${run}`),
    });
    expect(await cli('rollback', short, '--take-over')).toMatchObject({ exitCode: 0 });
    await expectOnly('a');
  });

  test('what a run has on the hosts is for root alone', async () => {
    const run = await killedAt('phase restore');
    const look = `for path in /var/lib/criu-flow/${run}-1 /var/lib/criu-flow/locks; do stat -c '%a %U' "$path"; done
      find /var/lib/criu-flow -perm /022 ! -type l`;
    for (const name of ['a', 'b']) expect(await service.lab.sh(name, look)).toBe('700 root\n700 root');
    const state = join(service.runsDirectory, run);
    expect((statSync(state).mode & 0o777).toString(8)).toBe('700');
    expect(await cli('rollback', run)).toMatchObject({ exitCode: 0 });
    await expectOnly('a');
  });

  test('a host that was started again: resume refuses, or goes on when it is told to', async () => {
    const run = await killedAt('phase transfer');
    await labKillHost(service.lab.lab.name, 'b');
    await labStartHost(service.lab.lab.name, 'b');
    const refused = await cli('resume', run);
    expect(refused.exitCode).toBe(4);
    expect(refused.stdout + refused.stderr).toMatch(
      /b was started again since the run began[^]*criu-flow rollback/,
    );
    const resumed = await cli('resume', run, '--force');
    expect(resumed.exitCode, resumed.stdout + resumed.stderr).toBe(0);
    await expectOnly('b');
  });

  test('the second ^C leaves at once, and says what is left and how to go on', async () => {
    let sent = 0;
    const left = await runCli(['run', recipe(), '--lab', service.lab.lab.name, '--reporter', 'plain'], {
      onStdout: (text, kill) => {
        if (sent > 0 || !text.includes('phase transfer\n')) return;
        sent = 1;
        kill('SIGINT');
      },
      onStderr: (text, kill) => {
        if (sent !== 1 || !text.includes('^C again')) return;
        sent = 2;
        kill('SIGINT');
      },
    });
    const run = newestRun();
    expect(left.exitCode).toBe(130);
    expect(left.stderr).toContain(
      `SIGINT again: left as it stands.\nThe workload is frozen on a, or runs there again within 30 s.`,
    );
    expect(left.stderr).toContain(`Go on with: criu-flow status ${run}, then criu-flow rollback ${run}`);
    expect(await cli('rollback', run)).toMatchObject({ exitCode: 0 });
    await expectOnly('a');
  });

  test('what a controller that was taken over from would run on its own machine is not run either', async () => {
    const [gate, mark] = [join(service.lab.directory, 'gate'), join(service.lab.directory, 'woken')];
    const local = (argv: readonly string[]): string =>
      `- { uses: command, timeout: 10m, with: { on: local, argv: ${JSON.stringify(argv)} }, readOnly: true }\n`;
    const commands =
      local(['sh', '-c', 'until [ -e "$1" ]; do sleep 0.05; done', 'sh', gate]) + local(['touch', mark]);
    const file = recipe(MOVE_STEPS.replace('- uses: restore', `${commands}- uses: restore`));
    let frozen: Promise<CliResult> | undefined;
    let frozenOnce = false;
    let wake = (): void => undefined;
    const run = await new Promise<string>((resolve) => {
      frozen = runCli(['run', file, '--lab', service.lab.lab.name, '--reporter', 'plain'], {
        onStdout: (text, kill) => {
          // Its title is said once more when it fails.
          if (frozenOnce || !text.includes('Run sh on this machine\n')) return;
          frozenOnce = true;
          kill('SIGSTOP');
          wake = () => kill('SIGCONT');
          resolve(newestRun());
        },
      });
    });
    expect(await cli('rollback', run, '--take-over')).toMatchObject({ exitCode: 0 });
    writeFileSync(gate, '');
    wake();
    const woken = await frozen;
    expect(woken?.exitCode, woken?.stdout).toBe(8);
    expect(existsSync(mark)).toBe(false);
    await expectOnly('a');
  });

  test('two runs cannot have the same workload', async () => {
    let second: Promise<CliResult> | undefined;
    const first = await runCli(['run', recipe(), '--lab', service.lab.lab.name, '--reporter', 'plain'], {
      onStdout: (text) => {
        if (text.includes('phase prepare\n')) {
          second = runCli(['run', recipe(), '--lab', service.lab.lab.name, '--reporter', 'plain']);
        }
      },
    });
    const refused = await second;
    expect(refused?.exitCode, refused?.stdout).toBe(8);
    expect(refused?.stdout).toMatch(/LOCKED: Run \S+ has the process ids of this workload on a/);
    expect(first).toMatchObject({ exitCode: 0 });
    await expectOnly('b');
  });

  test('locks tells who holds what, and what to do about the locks of a controller that has ended', async () => {
    const run = await killedAt('phase prepare');
    const { stdout } = await cli('locks', 'a', 'b');
    expect(stdout).toMatch(
      new RegExp(`^a  ${run}  epoch 1  pids ${service.pid}  process .* which has ended$`, 'm'),
    );
    expect(stdout).toMatch(
      new RegExp(`\n\nRun ${run} has no controller any more. How it .*:\n  criu-flow status ${run}\n$`),
    );
    expect((await cli('unlock', run, 'a')).exitCode).toBe(2);
    expect(await paste(`criu-flow rollback ${run}`)).toMatchObject({ exitCode: 0 });
    expect(await cli('unlock', run, 'a', 'b', '--reason', 'a test')).toMatchObject({
      exitCode: 0,
      stdout: `a  run ${run} has no lock\nb  run ${run} has no lock\n`,
    });
    expect((await cli('locks', 'a')).stdout).toBe('a  no locks\n');
    await expectOnly('a');
  });

  test('unlock gives up the locks of a run whose directory is lost, by the command that locks prints', async () => {
    const run = await killedAt('phase transfer');
    const [state, lost] = ['runs', 'lost'].map((name) =>
      join(service.lab.directory, 'state', 'criu-flow', name, run),
    );
    mkdirSync(join(service.lab.directory, 'state', 'criu-flow', 'lost'));
    renameSync(state ?? '', lost ?? '');
    const { stdout } = await cli('locks', 'a', 'b');
    const [command] = /^ {2}criu-flow unlock .*$/m.exec(stdout) ?? [''];
    expect(await paste(command)).toEqual({
      exitCode: 0,
      stdout: `a  unlocked run ${run}, pids ${service.pid}\nb  unlocked run ${run}, pids ${service.pid}\n`,
      stderr: '',
    });
    expect((await cli('locks', 'a', 'b')).stdout).toBe('a  no locks\nb  no locks\n');
    // Nobody is kept from the workload by it any more; what is left of it is taken back when its directory is found.
    expect(await service.lab.sh('a', 'ls /var/lib/criu-flow')).toBe(`${run}-1`);
    const rolledBack = await cli('rollback', lost ?? '');
    expect(rolledBack.exitCode, rolledBack.stdout + rolledBack.stderr).toBe(0);
    await expectOnly('a');
  });

  test('unlock takes nothing from a controller that is at work', async () => {
    let unlocking: Promise<CliResult> | undefined;
    const moved = await runCli(['run', recipe(), '--lab', service.lab.lab.name, '--reporter', 'plain'], {
      onStdout: (text) => {
        if (text.includes('phase prepare\n')) {
          unlocking = cli('unlock', newestRun(), 'a', 'b', '--reason', 'a test');
        }
      },
    });
    const refused = await unlocking;
    expect(refused?.exitCode, refused?.stdout).toBe(8);
    expect(refused?.stderr).toMatch(/LOCKED: Run \S+ is still at work/);
    expect(moved).toMatchObject({ exitCode: 0 });
    await expectOnly('b');
  });
});
