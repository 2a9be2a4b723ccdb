import { describe, expect, test } from 'vitest';
import { labKillHost, labStartHost } from '../../src/lab/lab.ts';
import type { RunSummary } from '../../src/events/event.ts';
import { settleIn } from '../faults/power-faults.ts';
import { machinesSkipReason } from '../helpers/migration-lab.ts';
import { MovingService } from '../helpers/moving-service.ts';
import { expectWritten, startWriterOn } from '../helpers/writer.ts';

const TITLE = 'Copy the memory while the workload runs';

const steps = (transfer = '{ uses: transfer/rsync }'): string =>
  `- uses: preflight\n- { uses: dump, with: { strategy: pre-copy } }\n- ${transfer}\n- uses: restore`;

describe.skipIf(machinesSkipReason !== undefined)('strategy: pre-copy', () => {
  const service = new MovingService({ steps: steps(), driver: 'vm' });
  const { cli, killedAt, expectCopyOn, expectOnly } = service;

  const startWriter = (...numbers: readonly [number, number, number]): Promise<number> =>
    startWriterOn(service.lab, ...numbers);

  const moveWriter = (
    pid: number,
    how: Partial<Parameters<typeof service.lab.run>[0]> = {},
  ): Promise<RunSummary> => service.lab.run({ workload: `pid: ${pid}`, steps: steps(), ...how });

  const expectMemory = (host: 'a' | 'b'): Promise<void> => expectWritten(service.lab, host);

  test('takes a service with its connection', async () => {
    const { exitCode, stdout, stderr } = await service.run();
    expect(exitCode, stdout + stderr).toBe(0);
    expect(stdout).toMatch(/copied before +\S+ MiB, .* in \d+ rounds/);
    await expectCopyOn('b');
  });

  test.each(['{ uses: transfer/rsync }', '{ uses: transfer/sftp }'])(
    'brings all of the memory, and little of it in the pause: %s',
    async (transfer) => {
      const pid = await startWriter(32, 1, 4);
      const summary = await moveWriter(pid, { steps: steps(transfer) });
      expect(summary, JSON.stringify(summary.failure)).toMatchObject({ exitCode: 0 });
      const { rounds = [] } = summary.preCopy ?? {};
      expect(rounds.length).toBeGreaterThan(1);
      expect(rounds[0]?.sizeBytes).toBeGreaterThan(32 * 1024 ** 2);
      expect(summary.imageBytes).toBeLessThan(8 * 1024 ** 2);
      await expectMemory('b');
      await service.lab.sh('b', 'rm -f /srv/writer/pid');
      const back = await moveWriter(pid, {
        steps: steps(transfer).replace(', with: { strategy: pre-copy }', ''),
        from: 'b',
        to: 'a',
      });
      expect(back).toMatchObject({ exitCode: 0 });
      expect(back.imageBytes).toBeGreaterThan(32 * 1024 ** 2);
      await expectMemory('a');
      const sizes = rounds.map(({ sizeBytes }) => `${(sizeBytes / 1024 ** 2).toFixed(1)} MiB`).join(', ');
      process.stdout.write(
        `${transfer}: ${sizes}, ${summary.preCopy?.stoppedBy}; downtime ${Math.round(summary.downtimeMs ?? 0)} ms (${Math.round(summary.preCopy?.expectedDowntimeMs ?? 0)} expected), of stop-and-copy ${Math.round(back.downtimeMs ?? 0)} ms\n`,
      );
    },
  );

  test('stops after the round with which the objective can be met', async () => {
    const pid = await startWriter(4, 1, 4);
    const file = service.lab.writeRecipe({
      workload: `pid: ${pid}`,
      steps: steps(),
      more: 'objectives: { downtime: 5m }',
    });
    const { exitCode, stdout } = await service.run(undefined, file);
    expect(exitCode, stdout).toBe(0);
    expect(stdout).toMatch(/in 2 rounds\n.*the objective could be met/);
    await expectMemory('b');
  });

  test('says before it freezes anything that the objective will be missed, and why', async () => {
    const pid = await startWriter(4, 4, 2000);
    const file = service.lab.writeRecipe({
      workload: `pid: ${pid}`,
      steps: steps(),
      more: 'objectives: { downtime: 1ms }',
    });
    const { exitCode, stdout } = await service.run(undefined, file);
    expect(exitCode, stdout).toBe(7);
    expect(stdout).toMatch(
      /The pause is expected to be \S+ s, and the objective is 0\.001 s: the workload writes to its memory about as fast[^]*freeze/,
    );
    await expectMemory('b');
  });

  test('is taken back when its controller is killed in a round, once criu has come to its end', async () => {
    const { lab } = service;
    // It is found before criu itself.
    const slow = `#!/bin/sh
case $1 in pre-dump) touch /run/at-work; until [ -e /run/go ]; do sleep 0.1; done ;; esac
exec /usr/sbin/criu "$@"
`;
    await lab.sh('a', 'printf %s "$1" > /usr/local/sbin/criu; chmod 755 /usr/local/sbin/criu', slow);
    try {
      let killed: Promise<void> | undefined;
      const { exitCode } = await service.run((text, kill) => {
        if (!text.includes(TITLE)) return;
        killed ??= lab.sh('a', 'until [ -e /run/at-work ]; do sleep 0.1; done').then(() => kill('SIGKILL'));
      });
      await killed;
      expect(exitCode).toBe(null);
      const run = service.newestRun();
      let isOver = false;
      const back = cli('rollback', run).finally(() => {
        isOver = true;
      });
      await lab.sh('a', 'until pgrep -f "flock -s -w 600" > /dev/null; do sleep 0.1; done');
      expect(isOver).toBe(false);
      expect(await lab.sh('a', 'ls /var/lib/criu-flow')).toContain(run);
      await lab.sh('a', 'touch /run/go');
      const { exitCode: code, stdout, stderr } = await back;
      expect(code, stdout + stderr).toBe(0);
    } finally {
      await lab.sh('a', 'touch /run/go; rm -f /usr/local/sbin/criu /run/at-work');
      await lab.sh('a', 'rm -f /run/go');
    }
    await expectOnly('a');
  });

  test('goes back to its images on the source, rounds and all, when a step fails after the commit', async () => {
    const pid = await startWriter(8, 1, 4);
    const file = service.lab.writeRecipe({
      workload: `pid: ${pid}`,
      steps: `${steps()}\n- uses: commit\n- { uses: command, with: { on: destination, argv: ['false'] } }`,
      more: 'onFailure: revert',
    });
    const { stdout, stderr } = await service.run(undefined, file);
    expect(await service.lab.processStart('a', pid), stdout + stderr).not.toBe('');
    expect(await service.lab.processStart('b', pid)).toBe('');
    await expectMemory('a');
    await service.lab.sh('a', 'rm -rf /var/lib/criu-flow/checkpoints; rmdir /var/lib/criu-flow');
  });

  test('a source that loses its power restores from the rounds and what was dumped since', async () => {
    const run = await killedAt('phase restore');
    const { lab } = service;
    await lab.sh('a', 'until [ -f "$1/files.synced" ]; do sleep 0.1; done', `/var/lib/criu-flow/${run}-1`);
    await labKillHost(lab.lab.name, 'a');
    await labStartHost(lab.lab.name, 'a');
    await settleIn(lab, 'a');
    const back = await cli('rollback', run);
    expect(back.exitCode, back.stdout + back.stderr).toBe(0);
    await expectCopyOn('a');
  });
});
