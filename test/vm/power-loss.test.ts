import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { labKillHost, labStartHost } from '../../src/lab/lab.ts';
import { BOUNDARIES } from '../faults/boundaries.ts';
import type { Fault } from '../faults/fault.ts';
import { settleIn } from '../faults/power-faults.ts';
import { runCell } from '../faults/run-cell.ts';
import { machinesSkipReason, MigrationLab } from '../helpers/migration-lab.ts';

/**
 * A machine that loses its power: what was in its memory is gone, be it on the way to the disk, and what it had synced is
 * there. Namespace hosts cannot show that, for their kernel lives on.
 */
function powerLost(title: string, side: 'from' | 'to'): Fault {
  return {
    title,
    async inject(scene) {
      const { lab, pid } = scene;
      const host = scene[side];
      const found = await lab.sh(
        host,
        `ls -d /proc/"$1" /var/lib/criu-flow/*/files.synced 2> /dev/null || :`,
        String(pid),
      );
      await labKillHost(lab.lab.name, host);
      const isLost = side === 'from' && found.includes('/proc/') && !found.includes('/files.synced');
      return { isLost };
    },
    async heal(scene) {
      await labStartHost(scene.lab.lab.name, scene[side]);
      await settleIn(scene.lab, scene[side]);
    },
  };
}

const FAULTS = [powerLost('source without power', 'from'), powerLost('destination without power', 'to')];

describe.skipIf(machinesSkipReason !== undefined)('a machine that loses its power', () => {
  let lab: MigrationLab;
  beforeAll(async () => {
    lab = await MigrationLab.up({ driver: 'vm' });
  });
  afterAll(() => lab.down());

  describe.each(FAULTS)('$title', (fault) => {
    test.each(BOUNDARIES.filter(({ title }) => title !== 'end'))(
      'at the begin of $title',
      async (boundary) => {
        const { state, story, violations } = await runCell(lab, boundary, fault);
        process.stdout.write(`cell ${boundary.title} x ${fault.title}: ${state}\n`);
        expect(violations, `${state}\n${story}`).toEqual([]);
      },
    );
  });
});
