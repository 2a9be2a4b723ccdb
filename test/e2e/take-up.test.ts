import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type CliResult, runCli } from '../helpers/cli.ts';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';

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
  let lab: MigrationLab;
  let pid: number;
  let traces: Readonly<Record<'a' | 'b', string>>;
  beforeAll(async () => {
    lab = await MigrationLab.up();
  });
  afterAll(() => lab?.down());
  beforeEach(async () => {
    pid = await lab.startService({ memoryMiB: 16 });
    traces = { a: await lab.traces('a'), b: await lab.traces('b') };
  });
  afterEach(() => lab.reset());

  const toLab = ['--lab', ''];
  const cli = (...args: readonly string[]): Promise<CliResult> => {
    toLab[1] = lab.lab.name;
    return runCli([...args, ...toLab]);
  };

  /** Starts to move the service, and kills the controller at a moment. @returns the run's id */
  const killedAt = async (moment: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<string> => {
    const recipe = lab.writeRecipe({
      workload: 'pidFile: /srv/tcp/pid',
      network: `connections: keep, address: { cidr: ${lab.lab.serviceAddress} }`,
      files: ['/srv/tcp'],
      steps: '- uses: preflight\n- uses: dump\n- uses: transfer/rsync\n- uses: restore',
    });
    const { exitCode, stdout } = await runCli(['run', recipe, '--lab', lab.lab.name, '--reporter', 'plain'], {
      onStdout: (text, kill) => {
        if (text.includes(`${moment}\n`)) kill(signal);
      },
    });
    expect(exitCode, stdout).toBe(null);
    return (
      readdirSync(join(lab.directory, 'state', 'criu-flow', 'runs'))
        .toSorted()
        .at(-1) ?? ''
    );
  };

  /** One copy runs, on that host; the client has all its answers; nothing else is left. */
  const expectOnly = async (host: 'a' | 'b'): Promise<void> => {
    const other = host === 'a' ? 'b' : 'a';
    expect(await lab.processStart(host, pid)).not.toBe('');
    expect(await lab.processStart(other, pid)).toBe('');
    expect(await lab.untilAnswered(20)).toMatchObject({
      connected: true,
      lost: 0,
      duplicated: 0,
      forgotten: 0,
      error: null,
    });
    for (const name of ['a', 'b']) {
      const left =
        'find /var/lib/criu-flow 2> /dev/null; nft list ruleset; wc -l < /root/.ssh/authorized_keys';
      expect(await lab.sh(name, left), `left on ${name}`).toBe('1');
    }
    if (host === 'a') {
      expect(await lab.tracesSettled('a', traces.a)).toBe(traces.a);
      expect(await lab.tracesSettled('b', traces.b)).toBe(traces.b);
    }
  };

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
});
