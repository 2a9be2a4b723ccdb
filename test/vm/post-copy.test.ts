import { describe, expect, test } from 'vitest';
import { machinesSkipReason } from '../helpers/migration-lab.ts';
import { MovingService } from '../helpers/moving-service.ts';
import { expectWritten, startWriterOn } from '../helpers/writer.ts';

const steps = (strategy: string): string =>
  `- uses: preflight\n- { uses: dump, with: { strategy: ${strategy} } }\n- uses: transfer/rsync\n- uses: restore`;

describe.skipIf(machinesSkipReason !== undefined)('memory that is fetched after the commit', () => {
  const service = new MovingService({ steps: steps('hybrid'), driver: 'vm' });

  test('hybrid takes a service with its connection', async () => {
    const { exitCode, stdout, stderr } = await service.run();
    expect(exitCode, stdout + stderr).toBe(0);
    expect(stdout).toMatch(/copied before +\S+ MiB, .* in \d+ rounds/);
    expect(stdout).toContain('then its memory was fetched in');
    await service.expectCopyOn('b');
  });

  test.each(['post-copy', 'hybrid'])(
    '%s brings all of the memory, and little of it in the pause',
    async (strategy) => {
      const { lab } = service;
      const pid = await startWriterOn(lab, 32, 4, 20);
      const summary = await lab.run({ workload: `pid: ${pid}`, steps: steps(strategy) });
      expect(summary, JSON.stringify(summary.failure)).toMatchObject({ exitCode: 0 });
      expect(summary.imageBytes).toBeLessThan(2 * 1024 ** 2);
      await expectWritten(lab, 'b');
      const rounds = (summary.preCopy?.rounds ?? []).map(
        ({ sizeBytes }) => `${(sizeBytes / 1024 ** 2).toFixed(1)} MiB`,
      );
      expect(rounds.length > 1).toBe(strategy === 'hybrid');
      process.stdout.write(
        `${strategy}: ${rounds.join(', ')}${rounds.length > 0 ? '; ' : ''}in the pause ${((summary.imageBytes ?? 0) / 1024 ** 2).toFixed(1)} MiB, downtime ${Math.round(summary.downtimeMs ?? 0)} ms, then fetched in ${Math.round(summary.fetchMs ?? 0)} ms\n`,
      );
    },
  );
});
