import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RunSummary } from '../../src/events/event.ts';
import { runCli } from '../helpers/cli.ts';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';
import { expectWritten, startWriterOn } from '../helpers/writer.ts';

const stepsWith = (strategy: string, transfer: string = '{ uses: transfer/rsync }'): string =>
  `- uses: preflight\n- { uses: dump, with: { ${strategy} } }\n- ${transfer}\n- uses: restore`;

const MIB = 1024 ** 2;

describe.skipIf(labSkipReason !== undefined)('strategy: auto, on a slow link', () => {
  let lab: MigrationLab;
  beforeAll(async () => {
    lab = await MigrationLab.up({ rateMbitPerSecond: 20 });
  });
  afterAll(() => lab?.down());
  afterEach(() => lab.reset());

  /** What was measured, of a writer that writes to 2 of 16 MiB over and over. */
  function expectMeasured({ strategy }: RunSummary): void {
    expect(strategy?.measured?.privateBytes).toBeGreaterThan(16 * MIB);
    const changed = strategy?.measured?.changed ?? [];
    expect(changed).toHaveLength(4);
    expect(changed.at(-1)?.sizeBytes).toBeGreaterThan(MIB);
    expect(changed.at(-1)?.sizeBytes).toBeLessThan(8 * MIB);
  }

  test.each([
    // What it has compresses to next to nothing.
    ['{ uses: transfer/rsync }', /pre-copy|stop-and-copy/, 10 * MIB],
    // As it travels, without compression.
    ['{ uses: transfer/sftp }', /pre-copy/, MIB],
    // Nothing travels.
    ['{ uses: transfer/shared, with: { directory: /shared/images } }', /pre-copy|stop-and-copy/, 10 * MIB],
  ])('measures, chooses, and leaves nothing: %s', async (transfer, chosen, leastBytesPerSecond) => {
    for (const host of ['a', 'b']) await lab.sh(host, 'mkdir -p -m 700 /shared/images');
    const before = { a: await lab.traces('a'), b: await lab.traces('b') };
    const pid = await startWriterOn(lab, 16, 2, 20);
    const summary = await lab.run({ workload: `pid: ${pid}`, steps: stepsWith('strategy: auto', transfer) });
    expect(summary, JSON.stringify(summary.failure)).toMatchObject({
      exitCode: 0,
      strategy: {
        chosen: expect.stringMatching(chosen),
        estimates: [
          { strategy: 'stop-and-copy', pauseMs: expect.any(Number) },
          { strategy: 'pre-copy', pauseMs: expect.any(Number) },
        ],
      },
    });
    expectMeasured(summary);
    expect(summary.strategy?.measured?.bytesPerSecond).toBeGreaterThan(leastBytesPerSecond);
    expect(summary.preCopy !== undefined).toBe(summary.strategy?.chosen === 'pre-copy');
    await expectWritten(lab, 'b');
    await lab.reset();
    for (const host of ['a', 'b'] as const)
      expect(await lab.tracesSettled(host, before[host])).toBe(before[host]);
  });

  test('fetches the memory after the pause where it may', async () => {
    const pid = await startWriterOn(lab, 16, 2, 20);
    const recipe = lab.writeRecipe({
      workload: `pid: ${pid}`,
      steps: stepsWith('strategy: auto, allowPostCopy: true'),
      // Only this strategy can be expected to meet it; a machine may be too slow all the same.
      more: 'objectives: { downtime: 320ms }',
    });
    const { exitCode, stdout } = await runCli(['run', recipe, '--lab', lab.lab.name, '--reporter', 'plain']);
    expect([0, 7], stdout).toContain(exitCode);
    expect(stdout).toMatch(
      /strategy: post-copy; downtime expected: stop-and-copy \S+ \S+, pre-copy \S+ \S+, post-copy/,
    );
    expect(stdout).toMatch(/strategy +post-copy, chosen for[^]*then its memory was fetched in/);
    expect(stdout).toMatch(/ post-copy: [\d.]+ MiB of [\d.]+ MiB · [\d.]+ [KM]iB\/s/);
    await expectWritten(lab, 'b');
  });

  test('does not where the images are to be kept, and says so', async () => {
    const pid = await startWriterOn(lab, 4, 1, 4);
    const recipe = lab.writeRecipe({
      workload: `pid: ${pid}`,
      steps: stepsWith('strategy: auto, allowPostCopy: true'),
    });
    const args = ['run', recipe, '--lab', lab.lab.name, '--reporter', 'plain', '--keep-images'];
    const { exitCode, stdout } = await runCli(args);
    expect(exitCode, stdout).toBe(0);
    expect(stdout).toMatch(/post-copy +the images are to be kept/);
    await expectWritten(lab, 'b');
    await lab.sh('a', 'rm -rf /var/lib/criu-flow');
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
