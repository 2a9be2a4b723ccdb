import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RunSummary } from '../../src/events/event.ts';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';

const MIB = 1024 ** 2;

describe.skipIf(labSkipReason !== undefined)('bandwidthLimit, 8 MiB/s for 24 MiB of memory', () => {
  let lab: MigrationLab;
  beforeAll(async () => {
    lab = await MigrationLab.up();
  });
  afterAll(() => lab?.down());
  afterEach(() => lab.reset());

  async function move(transfer: string): Promise<RunSummary> {
    const pid = await lab.startCounter({ memoryMiB: 24 });
    const limit = 'with: { bandwidthLimit: 8MiB/s }';
    const summary = await lab.run({
      workload: `pid: ${pid}`,
      files: ['/srv/counter'],
      steps: `- uses: preflight\n- uses: dump\n- { uses: ${transfer}, ${limit} }\n- uses: restore`,
    });
    expect(summary, JSON.stringify(summary.failure)).toMatchObject({ exitCode: 0, warnings: [] });
    const check = await lab.sh('b', 'python3 /shared/examples/counter/check.py /srv/counter/numbers');
    expect(JSON.parse(check)).toMatchObject({ missing: 0, repeated: 0 });
    return summary;
  }

  test('holds rsync, which then compresses what is worth it', async () => {
    const { compression } = await move('transfer/rsync');
    expect(compression?.chosen).toMatch(/lz4|zstd/);
    const { none = 0, lz4 = 0 } = compression?.bytesPerSecond ?? {};
    expect(none).toBeGreaterThan(MIB);
    expect(none).toBeLessThan(10 * MIB);
    expect(lz4).toBeGreaterThan(1.2 * none);
  });

  // What is on its way already when the clock begins, and at the end, is less than 6 MiB.
  test('holds SFTP', async () => {
    expect((await move('transfer/sftp')).phasesMs.transfer).toBeGreaterThan((1000 * (24 - 6)) / 8);
  });

  test('holds memory that is streamed', async () => {
    expect((await move('transfer/stream')).phasesMs.freeze).toBeGreaterThan((1000 * (24 - 6)) / 8);
  });
});
