import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';

const STEPS = `
- uses: preflight
- uses: dump
- uses: transfer/rsync
- uses: restore
`;

describe.skipIf(labSkipReason !== undefined)('a move', () => {
  let lab: MigrationLab;
  beforeAll(async () => {
    lab = await MigrationLab.up();
  });
  afterAll(() => lab?.down());
  afterEach(() => lab.reset());

  test('takes a process with its memory and its file: no number is missing, none is repeated', async () => {
    const pid = await lab.startCounter({ memoryMiB: 8 });
    const before = await Promise.all(['a', 'b'].map((name) => lab.traces(name)));
    const summary = await lab.run({ workload: `pid: ${pid}`, files: ['/srv/counter'], steps: STEPS });
    expect(summary).toMatchObject({
      outcome: 'done',
      exitCode: 0,
      workloadIsOn: 'destination',
      undoFailures: [],
    });
    const lines = async () => Number(await lab.sh('b', 'wc -l < /srv/counter/numbers'));
    const then = await lines();
    await expect.poll(lines, { timeout: 10_000 }).toBeGreaterThan(then);
    const check = await lab.sh('b', 'python3 /shared/examples/counter/check.py /srv/counter/numbers');
    expect(JSON.parse(check)).toMatchObject({ missing: 0, repeated: 0 });
    expect(await lab.processStart('a', pid)).toBe('');
    expect(await lab.tracesSettled('a', before[0] ?? '')).toBe(before[0]);
    // The file is the one thing that a move leaves on the destination.
    const withFile = (before[1] ?? '').replace('/srv\n', '/srv\n/srv/counter\n/srv/counter/numbers\n');
    expect(await lab.tracesSettled('b', withFile)).toBe(withFile);
  });

  test('takes a service, its address and its open connection there and back', async () => {
    const pid = await lab.startService();
    const options = {
      workload: 'pidFile: /srv/tcp/pid',
      network: `connections: keep, address: { cidr: ${lab.lab.serviceAddress} }`,
      files: ['/srv/tcp'],
      steps: `${STEPS}
- { uses: verify, with: { checks: [{ tcp: { address: ${lab.address}, port: 7000, from: source } }] } }`,
    };
    const there = await lab.run(options);
    expect(there).toMatchObject({ outcome: 'done', exitCode: 0, workloadIsOn: 'destination', warnings: [] });
    await lab.untilAnswered(50);
    const back = await lab.run({ ...options, from: 'b', to: 'a' });
    expect(back).toMatchObject({ outcome: 'done', exitCode: 0, workloadIsOn: 'destination', warnings: [] });
    expect(await lab.untilAnswered(50)).toMatchObject({
      connected: true,
      lost: 0,
      duplicated: 0,
      forgotten: 0,
      error: null,
    });
    expect(await lab.processStart('a', pid)).not.toBe('');
    expect(await lab.processStart('b', pid)).toBe('');
    for (const name of ['a', 'b']) {
      await expect
        .poll(() => lab.traces(name), { timeout: 10_000 })
        .not.toMatch(/CRIU-|criu_flow|criu-flow|arping/);
    }
  });
});
