import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RunSummary } from '../../src/events/event.ts';
import { FlowError } from '../../src/errors/flow-error.ts';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';
import { expectWritten, startWriterOn } from '../helpers/writer.ts';

const stepsWith = (transfer: string): string =>
  `- uses: preflight\n- { uses: dump, with: { strategy: pre-copy } }\n- ${transfer}\n- uses: restore`;

const MIB = 1024 ** 2;

const CRIU = `#!/bin/sh
[ "$*" != 'check --feature mem_dirty_track' ] || exit 1
exec /usr/sbin/criu "$@"
`;
const UNTRACKED = 'printf %s "$1" > /usr/local/sbin/criu; chmod 755 /usr/local/sbin/criu';

/** Stands in for perl where it compares what criu dumps with the rounds. It may do something before, and when criu has frozen the workload. */
const perl = ({ before = ':', frozen = ':' }: { before?: string; frozen?: string }): string => `#!/bin/bash
[ "$3" = dump ] || exec /usr/bin/perl "$@"
images=$4
${before}
stalled="system '${frozen}'; answer("
program=\${2/answer(/"$stalled"}
shift 2
exec /usr/bin/perl -e "$program" "$@"
`;

describe.skipIf(labSkipReason !== undefined)('strategy: pre-copy, where the kernel does not track', () => {
  let lab: MigrationLab;
  beforeAll(async () => {
    lab = await MigrationLab.up();
    // Whatever the kernel of this machine does.
    for (const host of ['a', 'b']) await lab.sh(host, UNTRACKED, CRIU);
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

  describe('when what is dumped cannot be compared', () => {
    const withPerl = async (replaced: Parameters<typeof perl>[0]): Promise<void> => {
      await lab.sh(
        'a',
        'printf %s "$1" > /usr/local/sbin/perl; chmod 755 /usr/local/sbin/perl',
        perl(replaced),
      );
    };
    const stall = 'touch /run/at-work; until [ -e /run/go ]; do sleep 0.1; done';
    afterEach(() => lab.sh('a', 'rm -f /usr/local/sbin/perl /run/at-work /run/go'));

    /** A service with a connection, which a criu that ends out of turn would leave dead. */
    const runService = async (signal?: AbortSignal): Promise<RunSummary> => {
      await lab.startService();
      return lab.run({
        workload: 'pidFile: /srv/tcp/pid',
        network: `connections: keep, address: { cidr: ${lab.lab.serviceAddress} }`,
        files: ['/srv/tcp'],
        steps: stepsWith('{ uses: transfer/rsync }'),
        ...(signal && { signal }),
      });
    };
    const expectAnswered = async (): Promise<void> => {
      expect(await lab.untilAnswered(20)).toMatchObject({
        connected: true,
        lost: 0,
        duplicated: 0,
        error: null,
      });
      expect(await lab.sh('a', 'nft list ruleset')).toBe('');
    };

    test('it runs on where it was, and it is said why', async () => {
      await withPerl({ before: 'touch "$images/pages-1.img"' });
      const summary = await runService();
      expect(summary).toMatchObject({ exitCode: 5, workloadIsOn: 'source', undoFailures: [] });
      expect(summary.failure).toMatchObject({
        code: 'DUMP_FAILED',
        message: 'What criu dumped on a could not be compared with what was copied before',
        evidence: expect.stringMatching(/pages-1\.img: File exists/),
      });
      await expectAnswered();
    });

    test('since it takes too long, and a person would not wait, it runs on where it was', async () => {
      await withPerl({ frozen: stall });
      const interrupt = new AbortController();
      const frozen = lab
        .sh('a', 'until [ -e /run/at-work ]; do sleep 0.1; done')
        .then(() => interrupt.abort(new FlowError('INTERRUPTED', 'by ^C')));
      const summary = await runService(interrupt.signal);
      await frozen;
      expect(summary).toMatchObject({ exitCode: 130, workloadIsOn: 'source', undoFailures: [] });
      await lab.sh('a', 'touch /run/go');
      await expectAnswered();
    });

    test('since criu is killed meanwhile, it runs on where it was', async () => {
      await withPerl({ frozen: stall });
      const killed = lab.sh(
        'a',
        `until [ -e /run/at-work ]; do sleep 0.1; done
        for exe in /proc/[0-9]*/exe; do
          case $(readlink "$exe") in */criu) pid=\${exe%/exe} && kill -KILL "\${pid#/proc/}" ;; esac
        done
        touch /run/go`,
      );
      const summary = await runService();
      await killed;
      expect(summary).toMatchObject({ exitCode: 5, workloadIsOn: 'source', undoFailures: [] });
      await expectAnswered();
    });
  });
});
