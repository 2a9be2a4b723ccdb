import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { CliResult } from '../helpers/cli.ts';
import { labSkipReason } from '../helpers/migration-lab.ts';
import { MovingService } from '../helpers/moving-service.ts';

describe.skipIf(labSkipReason !== undefined)('criu-flow run --check', () => {
  const service = new MovingService();
  const { cli, recipe, expectOnly } = service;
  const check = (...more: readonly string[]): Promise<CliResult> => cli('run', recipe(), '--check', ...more);

  test('shows what a run would do to a service that can move, and changes nothing on either host', async () => {
    // Two at once: neither takes a lock.
    const checked = await Promise.all([check(), check()]);
    for (const { exitCode, stdout, stderr } of checked) {
      expect(stdout).toMatch(
        /the workload freezes on a [^]* commit point: [^]* it runs again, on b [^]*\nChecked: both hosts can move /,
      );
      expect(stdout).toContain(`(pid ${service.pid}, `);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    }
    await expectOnly('a');
    expect(existsSync(service.runsDirectory)).toBe(false);
  });

  test('names what is in the way, with the exit code of the run that it refuses, and changes nothing', async () => {
    await service.lab.sh('b', 'rm /srv/static/file');
    const before = await service.lab.traces('b');
    const { exitCode, stdout } = await check('--reporter', 'json');
    expect(JSON.parse(stdout)).toMatchObject({
      source: 'a',
      check: {
        findings: [{ host: 'b', message: 'The open file /srv/static/file is missing on b' }],
        workload: { pid: service.pid, memoryBytes: expect.any(Number) },
        exitCode: 4,
      },
    });
    expect(exitCode).toBe(4);
    expect((await check()).stdout).toMatch(
      /Preflight would refuse the run \(1 finding\).*\n {2}FILE_DIFFERS {2}host: b {2}The open file/,
    );
    expect(await service.lab.tracesSettled('b', before)).toBe(before);
    expect(await service.lab.untilAnswered(10)).toMatchObject({ connected: true, lost: 0 });
    expect((await service.run()).exitCode).toBe(4);
  });
});
