import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { labKillHost, labStartHost } from '../../src/lab/lab.ts';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';

describe.skipIf(labSkipReason !== undefined)('a host that is lost', () => {
  let lab: MigrationLab;
  beforeAll(async () => {
    // Slow enough that the images travel for seconds.
    lab = await MigrationLab.up({ rateMbitPerSecond: 40 });
  });
  afterAll(() => lab?.down());

  test('the destination loses its power during the transfer: the workload runs on at the source', async () => {
    const pid = await lab.startService({ memoryMiB: 24 });
    const startTime = await lab.processStart('a', pid);
    const before = await lab.traces('a');
    let killed: Promise<void> | undefined;
    const summary = await lab.run({
      workload: 'pidFile: /srv/tcp/pid',
      network: `connections: keep, address: { cidr: ${lab.lab.serviceAddress} }`,
      files: ['/srv/tcp'],
      steps: '- uses: preflight\n- uses: dump\n- uses: transfer/rsync\n- uses: restore',
      onEvent: (event) => {
        if (event.kind === 'step-progress' && event.doneBytes > 1_000_000) {
          killed ??= labKillHost(lab.lab.name, 'b');
        }
      },
    });
    expect(killed).toBeDefined();
    await killed;
    expect(summary).toMatchObject({
      outcome: 'rolled-back',
      exitCode: 5,
      workloadIsOn: 'source',
      undoFailures: [],
      failure: { code: expect.stringMatching(/^(TRANSFER_FAILED|HOST_UNREACHABLE)$/) },
    });
    expect(await lab.processStart('a', pid)).toBe(startTime);
    expect(await lab.untilAnswered(20)).toMatchObject({
      connected: true,
      lost: 0,
      duplicated: 0,
      error: null,
    });
    expect(await lab.tracesSettled('a', before)).toBe(before);

    // The next run sweeps what the dead host could not clean up itself.
    await labStartHost(lab.lab.name, 'b');
    const next = await lab.run({
      workload: 'pidFile: /srv/tcp/pid',
      network: `connections: keep, address: { cidr: ${lab.lab.serviceAddress} }`,
      files: ['/srv/tcp'],
      steps:
        "- { uses: command, with: { on: destination, argv: [sh, -c, 'mkdir -p /srv/static && echo static > /srv/static/file'] }, irreversible: The file may stay. }\n- uses: preflight\n- uses: dump\n- uses: transfer/rsync\n- uses: restore",
    });
    expect(next).toMatchObject({ outcome: 'done', exitCode: 0, workloadIsOn: 'destination' });
    expect(await lab.untilAnswered(20)).toMatchObject({
      connected: true,
      lost: 0,
      duplicated: 0,
      error: null,
    });
    expect(
      await lab.sh('b', 'ls -A /srv; ls -d /var/lib/criu-flow 2>&1; wc -l < /root/.ssh/authorized_keys'),
    ).toBe("static\ntcp\nls: cannot access '/var/lib/criu-flow': No such file or directory\n1");
  });
});
