import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { FlowEvent, RunSummary } from '../../src/events/event.ts';
import { FlowError } from '../../src/errors/flow-error.ts';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';

/** A step that does something to a host between two others: what preflight saw is then no longer so. */
function inject(on: string, script: string): string {
  return `- { uses: command, with: { on: ${on}, argv: [sh, -c, ${JSON.stringify(script)}] }, irreversible: The test puts it right. }`;
}

describe.skipIf(labSkipReason !== undefined)('a fault before the commit', () => {
  let lab: MigrationLab;
  let pid: number;
  let startTime: string;
  let before: readonly string[];
  beforeAll(async () => {
    lab = await MigrationLab.up();
  });
  afterAll(() => lab?.down());
  beforeEach(async () => {
    pid = await lab.startService();
    startTime = await lab.processStart('a', pid);
    // What an earlier test announced is not what this one leaves.
    await expect.poll(() => lab.traces('a'), { timeout: 10_000 }).not.toContain('arping');
    await expect.poll(() => lab.traces('b'), { timeout: 10_000 }).not.toContain('arping');
    before = await Promise.all(['a', 'b'].map((name) => lab.traces(name)));
  });
  afterEach(() => lab.reset());

  const run = (
    steps: string,
    more: { readonly signal?: AbortSignal; readonly onEvent?: (event: FlowEvent) => void } = {},
  ): Promise<RunSummary> =>
    lab.run({
      workload: 'pidFile: /srv/tcp/pid',
      network: `connections: keep, address: { cidr: ${lab.lab.serviceAddress} }`,
      files: ['/srv/tcp'],
      steps,
      ...more,
    });

  /** The same process runs on the source, its client is connected and lost nothing, and nothing is left on either host. */
  const expectUntouched = async (changed: (traces: string) => string = (traces) => traces): Promise<void> => {
    expect(await lab.processStart('a', pid)).toBe(startTime);
    expect(await lab.untilAnswered(20)).toMatchObject({
      connected: true,
      lost: 0,
      duplicated: 0,
      forgotten: 0,
      error: null,
    });
    const [source = '', destination = ''] = before;
    expect(await lab.tracesSettled('a', source)).toBe(source);
    expect(await lab.tracesSettled('b', changed(destination))).toBe(changed(destination));
  };

  const rolledBack = { outcome: 'rolled-back', exitCode: 5, workloadIsOn: 'source', undoFailures: [] };

  test('a file that the process has open is missing on the destination', async () => {
    const summary = await run(`
      - uses: preflight
      ${inject('destination', 'rm /srv/static/file')}
      - uses: dump
      - uses: transfer/rsync
      - uses: restore`);
    expect(summary).toMatchObject({
      ...rolledBack,
      failure: { code: 'RESTORE_FAILED', host: 'b', evidence: expect.stringContaining('srv/static/file') },
    });
    await expectUntouched((traces) => traces.replace('/srv/static/file\n', ''));
  });

  test('its PID is taken on the destination', async () => {
    const take = `echo $((${pid} - 1)) > /proc/sys/kernel/ns_last_pid; setsid sleep 4711 < /dev/null > /dev/null 2>&1 & [ $! = ${pid} ]`;
    const summary = await run(`
      - uses: preflight
      ${inject('destination', take)}
      - uses: dump
      - uses: transfer/rsync
      - uses: restore`);
    expect(summary).toMatchObject({
      ...rolledBack,
      failure: {
        code: 'RESTORE_FAILED',
        host: 'b',
        message: expect.stringContaining(`PID ${pid}`),
        evidence: expect.stringContaining('sleep 4711'),
        command: expect.stringContaining(String(pid)),
      },
    });
    await lab.sh('b', 'kill "$1"', String(pid));
    await expectUntouched();
  });

  test("the destination's criu is killed in the middle", async () => {
    const kill = `setsid sh -c 'until pid=$(pidof criu); do :; done; kill -KILL $pid' < /dev/null > /dev/null 2>&1 &`;
    const summary = await run(`
      - uses: preflight
      - uses: dump
      - uses: transfer/rsync
      ${inject('destination', kill)}
      - uses: restore`);
    expect(summary).toMatchObject({ ...rolledBack, failure: { code: 'RESTORE_FAILED', host: 'b' } });
    await expectUntouched();
  });

  test("the destination's criu is killed while it holds", async () => {
    const summary = await run(`
      - uses: preflight
      - uses: dump
      - uses: transfer/rsync
      - uses: restore
      ${inject('destination', 'kill -KILL $(pidof criu)')}
      - { uses: verify, with: { checks: [{ command: { on: destination, argv: ['false'] } }] } }
      - uses: commit`);
    expect(summary).toMatchObject({ ...rolledBack, failure: { code: 'VERIFY_FAILED' } });
    expect(await lab.processStart('b', pid)).toBe('');
    await expectUntouched();
  });

  /** Ends the hold's processes of a run on a host: `criu`, the `hold` script, `all` with who watches over them. */
  const kill = (what: 'criu' | 'hold' | 'all'): string => `
    for file in /proc/[0-9]*/cmdline; do
      pid=\${file#/proc/} pid=\${pid%/cmdline}
      line=$(tr "\\0" " " < "$file" 2> /dev/null)
      case $line in
      ${what === 'hold' ? '' : '"criu "* |'} ${what === 'criu' ? '' : '"/bin/sh /var/lib/criu-flow/"*/hold" "* |'} ${what === 'all' ? '"sh -c "*" criu-flow /var/lib/criu-flow/"*" criu "* |' : ''} none) [ "$pid" = $$ ] || kill -KILL "$pid" ;;
      esac
    done`;

  test.each(['criu', 'hold'] as const)(
    "of the source's hold %s is killed while it holds: the workload runs on with its connection",
    async (what) => {
      const summary = await run(`
        - uses: preflight
        - uses: dump
        ${inject('source', kill(what))}
        - uses: transfer/rsync
        - uses: restore`);
      expect(summary).toMatchObject({ ...rolledBack, failure: { code: 'HOLD_LOST' } });
      await expectUntouched();
    },
  );

  test("all of the source's hold is killed: nobody aborts, the frozen copy does not run on, and the move goes on", async () => {
    const summary = await run(`
      - uses: preflight
      - uses: dump
      - uses: transfer/rsync
      - uses: restore
      ${inject('source', kill('all'))}
      - uses: commit`);
    expect(summary).toMatchObject({ outcome: 'done', workloadIsOn: 'destination', undoFailures: [] });
    expect(await lab.processStart('a', pid)).toBe('');
    expect(await lab.untilAnswered(20)).toMatchObject({
      connected: true,
      lost: 0,
      duplicated: 0,
      forgotten: 0,
      error: null,
    });
  });

  test("the source's criu and the workload are killed while it holds: it is restored from its images", async () => {
    const summary = await run(`
      - uses: preflight
      - uses: dump
      - uses: transfer/rsync
      ${inject('source', `${kill('criu')}; kill -KILL $(cat /srv/tcp/pid)`)}
      - uses: restore`);
    expect(summary).toMatchObject({ ...rolledBack, failure: { code: 'HOLD_LOST' } });
    startTime = await lab.processStart('a', pid);
    expect(startTime).not.toBe('');
    await expectUntouched();
  });

  test('the images are corrupted on the way', async () => {
    const corrupt =
      'dd if=/dev/urandom of=$(ls /var/lib/criu-flow/*/images/pages-1.img) bs=1 seek=5000 count=16 conv=notrunc 2> /dev/null';
    const summary = await run(`
      - uses: preflight
      - uses: dump
      - uses: transfer/rsync
      ${inject('destination', corrupt)}
      - uses: restore`);
    expect(summary).toMatchObject({
      ...rolledBack,
      failure: { code: 'IMAGES_CORRUPTED', host: 'b', evidence: expect.stringContaining('pages-1.img') },
    });
    await expectUntouched();
  });

  test('verify fails before the commit', async () => {
    const summary = await run(`
      - uses: preflight
      - uses: dump
      - uses: transfer/rsync
      - uses: restore
      - { uses: verify, with: { checks: [{ command: { on: destination, argv: ['false'] } }] } }
      - uses: commit`);
    expect(summary).toMatchObject({ ...rolledBack, failure: { code: 'VERIFY_FAILED', host: 'b' } });
    await expectUntouched();
  });

  test('a recipe’s own rollback commands run, the last step’s first', async () => {
    const note = (text: string): string =>
      `rollback: [{ uses: command, with: { on: source, argv: [sh, -c, 'echo ${text} >> /srv/static/file'] } }]`;
    const summary = await run(`
      - uses: preflight
      - { uses: dump, ${note('dump')} }
      - { uses: transfer/rsync, ${note('transfer')} }
      ${inject('source', 'exit 3')}
      - uses: restore`);
    expect(summary).toMatchObject({ ...rolledBack, failure: { code: 'COMMAND_FAILED', host: 'a' } });
    expect(await lab.sh('a', 'cat /srv/static/file')).toBe('static\ntransfer\ndump');
    await expectUntouched();
  });

  test('a dump of a process that strace began to trace leaves it as it is', async () => {
    const trace = `setsid strace -o /dev/null -p ${pid} < /dev/null > /dev/null 2>&1 & until ! grep -q 'TracerPid:.0$' /proc/${pid}/status; do :; done`;
    const summary = await run(`
      - uses: preflight
      ${inject('source', trace)}
      - uses: dump
      - uses: transfer/rsync
      - uses: restore`);
    expect(summary).toMatchObject({
      ...rolledBack,
      failure: {
        code: 'DUMP_FAILED',
        host: 'a',
        evidence: expect.stringMatching(/Operation not permitted|seize|interrupt|traced/i),
        hint: expect.any(String),
      },
    });
    await lab.sh('a', 'kill $(pidof strace)');
    await expectUntouched();
  });

  test('a process that strace traces is refused, and nothing was touched', async () => {
    await lab.sh(
      'a',
      `setsid strace -o /dev/null -p "$1" < /dev/null > /dev/null 2>&1 &
      until ! grep -q 'TracerPid:.0$' "/proc/$1/status"; do :; done`,
      String(pid),
    );
    const summary = await run('- uses: preflight\n- uses: dump\n- uses: transfer/rsync\n- uses: restore');
    expect(summary).toMatchObject({
      outcome: 'refused',
      exitCode: 4,
      workloadIsOn: 'source',
      failure: { code: 'PREFLIGHT_REFUSED', host: 'a', message: expect.stringContaining('strace') },
    });
    await lab.sh('a', 'kill $(pidof strace)');
    await expectUntouched();
  });

  for (const stepId of ['1-preflight', 'prepare', '2-dump', '3-transfer', '4-restore', '5-verify']) {
    test(`^C during ${stepId}`, async () => {
      const controller = new AbortController();
      const summary = await run(
        `
        - uses: preflight
        - uses: dump
        - uses: transfer/rsync
        - uses: restore
        - { uses: verify, with: { checks: [{ command: { on: destination, argv: [sleep, '4711'], timeout: 1h } }] } }
        - uses: commit`,
        {
          signal: controller.signal,
          onEvent: (event) => {
            if (event.kind === 'step-started' && event.stepId === stepId) {
              // Later than the start, so that the step has begun its work.
              setTimeout(
                () => controller.abort(new FlowError('INTERRUPTED', 'SIGINT', { evidence: 'SIGINT' })),
                30,
              );
            }
          },
        },
      );
      expect(summary).toMatchObject({
        outcome: stepId === '1-preflight' ? 'refused' : 'rolled-back',
        exitCode: 130,
        workloadIsOn: 'source',
        undoFailures: [],
        failure: { code: 'INTERRUPTED' },
      });
      await expectUntouched();
    });
  }

  test('^C during the commit comes too late or in time: one copy runs, and its client is connected', async () => {
    const controller = new AbortController();
    const summary = await run('- uses: preflight\n- uses: dump\n- uses: transfer/rsync\n- uses: restore', {
      signal: controller.signal,
      onEvent: (event) => {
        if (event.kind === 'phase-started' && event.phase === 'commit') {
          controller.abort(new FlowError('INTERRUPTED', 'SIGINT', { evidence: 'SIGINT' }));
        }
      },
    });
    expect(summary).toMatchObject({ outcome: 'done', exitCode: 0, workloadIsOn: 'destination' });
    expect(await lab.processStart('a', pid)).toBe('');
    expect(await lab.untilAnswered(20)).toMatchObject({
      connected: true,
      lost: 0,
      duplicated: 0,
      error: null,
    });
  });
});
