import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { labKillHost, labStartHost } from '../../src/lab/lab.ts';
import { labSkipReason } from '../helpers/migration-lab.ts';
import { MovingService } from '../helpers/moving-service.ts';
import { paste } from '../helpers/paste.ts';
import { expectWritten, startWriterOn } from '../helpers/writer.ts';

const STEPS =
  '- uses: preflight\n- { uses: dump, with: { strategy: post-copy } }\n- uses: transfer/rsync\n- uses: restore';

const AUTO_STEPS = STEPS.replace('strategy: post-copy', 'strategy: auto, allowPostCopy: true');

const FETCH = 'post-copy: fetch the rest of the memory';

/** When it begins, the controller is killed. */
const MOMENTS = [
  'phase prepare',
  'phase freeze',
  'phase transfer',
  'phase restore',
  'phase commit',
  'phase release',
  FETCH,
  'phase clean-up',
] as const;

const PAST_COMMIT: readonly string[] = ['phase commit', 'phase release', FETCH, 'phase clean-up'];

describe.skipIf(labSkipReason !== undefined)('strategy: post-copy', () => {
  const service = new MovingService({ steps: STEPS });
  const { cli, killedAt, expectOnly, newestRun } = service;

  beforeAll(() => service.lab.sh('a', 'sysctl -q -w fs.pipe-max-size=4194304'));

  test.each(MOMENTS)('the controller is killed at its %s: resume brings it to its end', async (moment) => {
    const run = await killedAt(moment);
    const resumed = await cli('resume', run);
    expect(resumed.exitCode, resumed.stdout + resumed.stderr).toBe(0);
    expect(resumed.stdout).toContain('the workload runs on b (the destination).');
    await expectOnly('b');
  });

  test.each(MOMENTS)('the controller is killed at its %s: what status advises is so', async (moment) => {
    const run = await killedAt(moment);
    const rolledBack = await cli('rollback', run);
    if (PAST_COMMIT.includes(moment) && rolledBack.exitCode === 4) {
      expect(rolledBack.stdout + rolledBack.stderr).toContain(`criu-flow resume ${run}`);
      expect(await cli('status', run)).toMatchObject({
        exitCode: 6,
        stdout: expect.stringContaining(`criu-flow resume ${run}`),
      });
      expect(await cli('resume', run)).toMatchObject({ exitCode: 0 });
      await expectOnly('b');
      return;
    }
    expect(rolledBack.exitCode, rolledBack.stdout + rolledBack.stderr).toBe(0);
    expect(rolledBack.stdout).toContain('Rolled back: the workload runs on a (the source).');
    await expectOnly('a');
  });

  test.each(['phase freeze', 'phase release', FETCH, 'phase clean-up'])(
    'the controller is killed at its %s, when the strategy was chosen: resume knows which it is',
    async (moment) => {
      const run = await killedAt(moment, service.recipe(AUTO_STEPS, 'objectives: { downtime: 320ms }'));
      const journal = readFileSync(join(service.runsDirectory, run, 'journal.jsonl'), 'utf8');
      expect(journal).toContain('"chosen":"post-copy"');
      const resumed = await cli('resume', run);
      // It is the objective that only this strategy can meet, if the machine is fast enough.
      expect([0, 7], resumed.stdout + resumed.stderr).toContain(resumed.exitCode);
      await expectOnly('b');
    },
  );

  test('a controller that is gone for longer than the lease lets the workload run on, with its connection', async () => {
    const run = await killedAt('phase transfer');
    await service.lab.untilAnswered(20);
    expect(await cli('rollback', run)).toMatchObject({ exitCode: 0 });
    await expectOnly('a');
  });

  test('nobody but root can read the memory; who connects and goes has taken nothing along', async () => {
    const { lab } = service;
    let outcome: Promise<string> | undefined;
    const { exitCode, stdout } = await service.run((text) => {
      if (!text.includes('phase transfer')) return;
      outcome ??= lab.sh(
        'a',
        `port=$(tr '\\0' '\\n' < "$(grep -l -a -z -x dump $(grep -l -a -z -x criu /proc/[0-9]*/cmdline) | head -n 1)" | sed -n '/^--port$/{n;p}')
        setpriv --reuid 65534 --clear-groups bash -c ": < /dev/tcp/127.0.0.1/$port" 2>&1 | grep -o -m 1 refused
        bash -c ": < /dev/tcp/127.0.0.1/$port" && echo connected`,
      );
    });
    expect(await outcome).toBe('refused\nconnected');
    expect(exitCode, stdout).toBe(5);
    await expectOnly('a');
  });

  describe('with a slow link', () => {
    const FAULTS: readonly (readonly [string, string])[] = [
      ['criu lazy-pages is killed', 'b kill "criu lazy-pages"'],
      ['the page server is killed', 'a kill "criu dump"'],
      ['the connection is cut', 'a kill "/ssh/memory"'],
    ];
    const slow = (): Promise<string> =>
      service.lab.sh('a', 'tc qdisc replace dev eth0 root tbf rate 20mbit burst 64kb latency 400ms');
    const fast = (): Promise<string> => service.lab.sh('a', 'tc qdisc del dev eth0 root 2> /dev/null || :');
    afterEach(fast);
    /** Ends the one process there whose command line has that, and which is not of this test. */
    const kill = (fault: string): Promise<string> => {
      const [, host = '', what = ''] = /^(\S+) kill "(.*)"$/.exec(fault) ?? [];
      return service.lab.sh(
        host,
        `for file in /proc/[0-9]*/cmdline; do
          pid=\${file#/proc/} pid=\${pid%/cmdline}
          case $(tr '\\0' ' ' < "$file" 2> /dev/null) in
          *"$1"*) case $(readlink "/proc/$pid/exe") in */criu | */ssh) kill -KILL "$pid" ;; esac ;;
          esac
        done`,
        what,
      );
    };

    test.each(FAULTS)(
      '%s: it is ended there, and runs on at the source when a person says so',
      async (_, fault) => {
        const { lab } = service;
        const pid = await startWriterOn(lab, 64, 1, 4);
        const file = lab.writeRecipe({ workload: `pid: ${pid}`, steps: STEPS });
        await slow();
        let killed: Promise<string> | undefined;
        const { exitCode, stdout, stderr } = await service.run((text) => {
          if (text.includes(FETCH)) killed ??= kill(fault);
        }, file);
        await killed;
        await fast();
        expect(exitCode, stdout + stderr).toBe(6);
        expect(stdout).toContain(`Process ${pid} has ended on b, while its memory was fetched from a`);
        // Not for a moment did it have a page that was not its own.
        expect(await lab.sh('b', 'cat /srv/writer/wrong 2> /dev/null || :')).toBe('');
        expect(await lab.processStart('b', pid)).toBe('');
        expect(await lab.processStart('a', pid)).toBe('');
        const run = newestRun();
        const status = await cli('status', run);
        expect(status.exitCode).toBe(6);
        const command = /run: (.*settle again.*)/.exec(stdout)?.[1] ?? '';
        expect(status.stdout).toContain(command);
        const pasted = await paste(command);
        expect(pasted.exitCode, pasted.stderr).toBe(0);
        await expectWritten(lab, 'a');
        const rolledBack = await cli('rollback', run);
        expect(rolledBack.exitCode, rolledBack.stdout + rolledBack.stderr).toBe(0);
        await expectWritten(lab, 'a');
        for (const host of ['a', 'b']) {
          const left =
            'find /var/lib/criu-flow -mindepth 1 2> /dev/null; nft list ruleset; wc -l < /root/.ssh/authorized_keys';
          expect(await lab.sh(host, left)).toBe('1');
        }
      },
    );

    test('^C while it fetches ends nothing: resume waits for the rest', async () => {
      const { lab } = service;
      const pid = await startWriterOn(lab, 64, 1, 4);
      const file = lab.writeRecipe({ workload: `pid: ${pid}`, steps: STEPS });
      await slow();
      const { exitCode, stdout, stderr } = await service.run((text, send) => {
        if (text.includes(FETCH)) send('SIGINT');
      }, file);
      expect(exitCode, stdout + stderr).toBe(6);
      expect(stdout).toContain('still fetches memory from a');
      const run = newestRun();
      expect(await cli('status', run)).toMatchObject({
        exitCode: 6,
        stdout: expect.stringContaining('fetches its memory from a'),
      });
      await fast();
      const resumed = await cli('resume', run);
      expect(resumed.exitCode, resumed.stdout + resumed.stderr).toBe(0);
      await expectWritten(lab, 'b');
    });

    test('it dies on the destination: its copy on the source is not ended', async () => {
      const { lab } = service;
      const pid = await startWriterOn(lab, 64, 1, 4);
      const file = lab.writeRecipe({ workload: `pid: ${pid}`, steps: STEPS });
      await slow();
      let killed: Promise<string> | undefined;
      const { exitCode, stdout } = await service.run((text) => {
        if (text.includes(FETCH)) killed ??= lab.sh('b', 'kill -KILL "$1"', String(pid));
      }, file);
      await killed;
      expect(exitCode, stdout).toBe(6);
      const pasted = await paste(/run: (ssh .*settle again')/.exec(stdout)?.[1] ?? 'false');
      expect(pasted.exitCode, pasted.stderr).toBe(0);
      await expectWritten(lab, 'a');
      expect(await cli('rollback', newestRun())).toMatchObject({ exitCode: 0 });
      await expectWritten(lab, 'a');
    });

    test('the guard is killed: a person ends the copy on the destination, and goes back', async () => {
      const { lab } = service;
      const pid = await startWriterOn(lab, 64, 1, 4);
      const file = lab.writeRecipe({ workload: `pid: ${pid}`, steps: STEPS });
      await slow();
      let killed: Promise<string> | undefined;
      const { exitCode, stdout } = await service.run((text) => {
        if (text.includes(FETCH)) {
          killed ??= lab.sh(
            'b',
            'read -r pid _ < "$(echo /var/lib/criu-flow/2*/restore/guard)"; kill -TERM "$pid"; sleep 0.2; kill -KILL "$pid"',
          );
        }
      }, file);
      await killed;
      expect(exitCode, stdout).toBe(6);
      expect(stdout).toContain('The guard of criu lazy-pages on b was killed');
      const ended = await paste(/run: (ssh .*end-workload')/.exec(stdout)?.[1] ?? 'false');
      expect(ended.exitCode, ended.stderr).toBe(0);
      expect(await lab.processStart('b', pid)).toBe('');
      expect(await lab.sh('b', 'cat /srv/writer/wrong 2> /dev/null || :')).toBe('');
      const resumed = await cli('resume', newestRun());
      expect(resumed.exitCode).toBe(6);
      const said = resumed.stdout + resumed.stderr;
      const pasted = await paste(/run: (ssh .*settle again')/.exec(said)?.[1] ?? 'false');
      expect(pasted.exitCode, said + pasted.stderr).toBe(0);
      await expectWritten(lab, 'a');
      const rolledBack = await cli('rollback', newestRun());
      expect(rolledBack.exitCode, rolledBack.stdout + rolledBack.stderr).toBe(0);
      await expectWritten(lab, 'a');
    });

    test('the destination loses its power: it runs on at the source when a person says so', async () => {
      const { lab } = service;
      const pid = await startWriterOn(lab, 64, 1, 4);
      const file = lab.writeRecipe({ workload: `pid: ${pid}`, steps: STEPS });
      await slow();
      let killed: Promise<void> | undefined;
      const { exitCode, stdout } = await service.run((text) => {
        if (text.includes(FETCH)) killed ??= labKillHost(lab.lab.name, 'b');
      }, file);
      await killed;
      expect(exitCode, stdout).toBe(6);
      const run = newestRun();
      // It may run there, as far as can be seen.
      expect(await cli('status', run)).toMatchObject({
        exitCode: 6,
        stdout: expect.stringContaining('cannot be asked'),
      });
      // What was on its way to the old boot is answered with a reset by the new one, sooner or later.
      await lab.sh(
        'a',
        `nft 'table inet deaf { chain input { type filter hook input priority 0; tcp flags rst drop; }; }'`,
      );
      await labStartHost(lab.lab.name, 'b');
      const status = await cli('status', run);
      expect(status.exitCode).toBe(6);
      const command = /(ssh .*settle again)'/.exec(status.stdout)?.[1] ?? 'false';
      // criu there has not heard of it, and the other copy might run.
      const refused = await paste(`${command}'`);
      expect(refused.exitCode).toBe(1);
      expect(refused.stderr).toMatch(/make sure that it has ended\nrun: sh .*settle again gone/);
      await lab.sh('a', 'nft delete table inet deaf');
      const pasted = await paste(`${command} gone'`);
      expect(pasted.exitCode, pasted.stderr).toBe(0);
      await expectWritten(lab, 'a');
      const rolledBack = await cli('rollback', run);
      expect(rolledBack.exitCode, rolledBack.stdout + rolledBack.stderr).toBe(0);
      await expectWritten(lab, 'a');
    });

    test('the source loses its power: it is ended on the destination, and said to be lost', async () => {
      const { lab } = service;
      const pid = await startWriterOn(lab, 64, 1, 4);
      const file = lab.writeRecipe({ workload: `pid: ${pid}`, steps: STEPS });
      await slow();
      let restarted: Promise<void> | undefined;
      const { exitCode, stdout } = await service.run((text) => {
        if (!text.includes(FETCH)) return;
        restarted ??= labKillHost(lab.lab.name, 'a').then(() => labStartHost(lab.lab.name, 'a'));
      }, file);
      await restarted;
      expect(exitCode, stdout).toBe(6);
      expect(stdout).toContain('has ended, too, and there are no images of it');
      expect(await lab.sh('b', 'cat /srv/writer/wrong 2> /dev/null || :')).toBe('');
      const status = await cli('status', newestRun());
      expect(status.exitCode).toBe(6);
      expect(status.stdout).toContain('neither on a nor on b');
      expect(await cli('resume', newestRun())).toMatchObject({ exitCode: 6 });
      for (const host of ['a', 'b'])
        expect(await lab.sh(host, 'find /var/lib/criu-flow -mindepth 1 2> /dev/null; nft list ruleset')).toBe(
          '',
        );
    });
  });
});
