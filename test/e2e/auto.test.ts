import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RunSummary } from '../../src/events/event.ts';
import { runCli } from '../helpers/cli.ts';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';
import { expectWritten, startWriterOn } from '../helpers/writer.ts';

const stepsWith = (strategy: string, transfer: string = '{ uses: transfer/rsync }'): string =>
  `- uses: preflight\n- { uses: dump, with: { ${strategy} } }\n- ${transfer}\n- uses: restore`;

const MIB = 1024 ** 2;

describe.skipIf(labSkipReason !== undefined)('strategy: auto', () => {
  let lab: MigrationLab;
  beforeAll(async () => {
    lab = await MigrationLab.up({ rateMbitPerSecond: 400 });
  });
  afterAll(() => lab?.down());
  afterEach(() => lab.reset());

  /** What was measured, of a writer that writes to 4 of 64 MiB over and over. */
  function expectMeasured({ strategy, imageBytes = 0 }: RunSummary): void {
    expect(strategy?.memoryBytes).toBeGreaterThan(64 * MIB);
    // A link of 400 Mbit/s takes no more, and the memory of the writer can be made less.
    expect(strategy?.bytesPerSecond).toBeGreaterThan(5 * MIB);
    const changed = strategy?.written.changed ?? [];
    expect(changed.at(-1)?.sizeBytes).toBeGreaterThan(2 * MIB);
    expect(changed.at(-1)?.sizeBytes).toBeLessThan(32 * MIB);
    expect(imageBytes).toBeGreaterThan(0);
  }

  test.each([
    ['{ uses: transfer/rsync }'],
    ['{ uses: transfer/sftp }'],
    ['{ uses: transfer/shared, with: { directory: /shared/images } }'],
  ])('moves all in the pause where nothing else can be, and says why: %s', async (transfer) => {
    for (const host of ['a', 'b']) await lab.sh(host, 'mkdir -p -m 700 /shared/images');
    const before = { a: await lab.traces('a'), b: await lab.traces('b') };
    const pid = await startWriterOn(lab, 64, 4, 40);
    const summary = await lab.run({ workload: `pid: ${pid}`, steps: stepsWith('strategy: auto', transfer) });
    expect(summary, JSON.stringify(summary.failure)).toMatchObject({
      exitCode: 0,
      strategy: {
        chosen: 'stop-and-copy',
        estimates: [
          { strategy: 'stop-and-copy', pauseMs: expect.any(Number) },
          { strategy: 'pre-copy', impossible: expect.stringContaining('does not track') },
        ],
      },
    });
    expectMeasured(summary);
    expect(summary.imageBytes).toBeGreaterThan(64 * MIB);
    await expectWritten(lab, 'b');
    await lab.reset();
    for (const host of ['a', 'b'] as const)
      expect(await lab.tracesSettled(host, before[host])).toBe(before[host]);
  });

  test('fetches the memory after the pause where it may', async () => {
    const pid = await startWriterOn(lab, 64, 4, 40);
    const recipe = lab.writeRecipe({
      workload: `pid: ${pid}`,
      steps: stepsWith('strategy: auto, allowPostCopy: true'),
    });
    const { exitCode, stdout } = await runCli(['run', recipe, '--lab', lab.lab.name, '--reporter', 'plain']);
    expect(exitCode, stdout).toBe(0);
    expect(stdout).toMatch(
      /strategy: post-copy; downtime expected: stop-and-copy .*, pre-copy cannot be, post-copy/,
    );
    expect(stdout).toMatch(/strategy +post-copy, chosen for[^]*then its memory was fetched in/);
    await expectWritten(lab, 'b');
  });

  test('takes the simplest that meets the objective', async () => {
    const pid = await startWriterOn(lab, 4, 1, 4);
    const recipe = lab.writeRecipe({
      workload: `pid: ${pid}`,
      steps: stepsWith('strategy: auto, allowPostCopy: true'),
      more: 'objectives: { downtime: 1m }',
    });
    const { exitCode, stdout } = await runCli(['run', recipe, '--lab', lab.lab.name, '--reporter', 'plain']);
    expect(exitCode, stdout).toBe(0);
    expect(stdout).toContain('strategy: stop-and-copy; downtime expected');
    await expectWritten(lab, 'b');
  });
});
