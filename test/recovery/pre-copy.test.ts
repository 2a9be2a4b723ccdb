import { beforeAll, describe, expect, test } from 'vitest';
import { labSkipReason } from '../helpers/migration-lab.ts';
import { MovingService } from '../helpers/moving-service.ts';
import { expectWritten, startWriterOn } from '../helpers/writer.ts';

const STEPS =
  '- uses: preflight\n- { uses: dump, with: { strategy: pre-copy } }\n- uses: transfer/rsync\n- uses: restore';

const CRIU = `#!/bin/sh
[ "$*" != 'check --feature mem_dirty_track' ] || exit 1
exec /usr/sbin/criu "$@"
`;

describe.skipIf(labSkipReason !== undefined)('strategy: pre-copy, where the kernel does not track', () => {
  const service = new MovingService({ steps: STEPS });
  const { cli, killedAt, expectOnly } = service;

  beforeAll(async () => {
    const write = 'printf %s "$1" > /usr/local/sbin/criu; chmod 755 /usr/local/sbin/criu';
    for (const host of ['a', 'b']) await service.lab.sh(host, write, CRIU);
  });

  test.each([
    'pre-copy: round 2: copy what it has written to since',
    'phase freeze',
    'phase transfer',
    'phase restore',
  ])('the controller is killed at its %s: it is taken back, or begun anew', async (moment) => {
    const run = await killedAt(moment);
    const rolledBack = await cli('rollback', run);
    expect(rolledBack.exitCode, rolledBack.stdout + rolledBack.stderr).toBe(0);
    await expectOnly('a');
    const again = await killedAt(moment);
    const resumed = await cli('resume', again);
    expect(resumed.exitCode, resumed.stdout + resumed.stderr).toBe(0);
    await expectOnly('b');
  });

  test.each(['phase commit', 'phase release', 'phase clean-up'])(
    'the controller is killed at its %s: resume brings it to its end',
    async (moment) => {
      const run = await killedAt(moment);
      const resumed = await cli('resume', run);
      expect(resumed.exitCode, resumed.stdout + resumed.stderr).toBe(0);
      await expectOnly('b');
    },
  );

  test('goes back to its images on the source, rounds and all, when a step fails after the commit', async () => {
    const { lab } = service;
    const pid = await startWriterOn(lab, 16, 1, 4);
    const file = lab.writeRecipe({
      workload: `pid: ${pid}`,
      steps: `${STEPS}\n- uses: commit\n- { uses: command, with: { on: destination, argv: ['false'] } }`,
      more: 'onFailure: revert',
    });
    const { stdout, stderr } = await service.run(undefined, file);
    expect(await lab.processStart('a', pid), stdout + stderr).not.toBe('');
    expect(await lab.processStart('b', pid)).toBe('');
    await expectWritten(lab, 'a');
    await lab.sh('a', 'rm -rf /var/lib/criu-flow/checkpoints; rmdir /var/lib/criu-flow');
  });
});
