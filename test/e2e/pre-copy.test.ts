import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';
import { expectWritten, startWriterOn } from '../helpers/writer.ts';

const stepsWith = (transfer: string): string =>
  `- uses: preflight\n- { uses: dump, with: { strategy: pre-copy } }\n- ${transfer}\n- uses: restore`;

const MIB = 1024 ** 2;

describe.skipIf(labSkipReason !== undefined)(
  'strategy: pre-copy, on a kernel that does not track what is written to',
  () => {
    let lab: MigrationLab;
    beforeAll(async () => {
      lab = await MigrationLab.up();
      expect(await lab.sh('a', 'criu check --feature mem_dirty_track > /dev/null 2>&1 || echo no')).toBe(
        'no',
      );
    });
    afterAll(() => lab?.down());
    afterEach(() => lab.reset());

    test.each([
      ['{ uses: transfer/rsync }'],
      ['{ uses: transfer/sftp }'],
      ['{ uses: transfer/shared, with: { directory: /shared/images } }'],
    ])('brings all of the memory there and back, and little of it in the pause: %s', async (transfer) => {
      for (const host of ['a', 'b']) await lab.sh(host, 'mkdir -p -m 700 /shared/images');
      const pid = await startWriterOn(lab, 64, 1, 4);
      for (const [from, to] of [
        ['a', 'b'],
        ['b', 'a'],
      ] as const) {
        await lab.sh(to, 'rm -f /srv/writer/pid');
        const summary = await lab.run({ workload: `pid: ${pid}`, steps: stepsWith(transfer), from, to });
        expect(summary, JSON.stringify(summary.failure)).toMatchObject({
          exitCode: 0,
          preCopy: { isCompared: true },
        });
        const { rounds = [] } = summary.preCopy ?? {};
        expect(rounds.length).toBeGreaterThan(1);
        expect(rounds[0]?.sizeBytes).toBeGreaterThan(64 * MIB);
        expect(rounds.at(-1)?.sizeBytes).toBeLessThan(8 * MIB);
        expect(summary.imageBytes).toBeLessThan(8 * MIB);
        expect(await lab.processStart(from, pid)).toBe('');
        await expectWritten(lab, to);
      }
    });
  },
);
