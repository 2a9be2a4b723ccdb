import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type CliResult, runCli } from '../helpers/cli.ts';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';

/** As the counter counts: no number twice, none left out. */
const counted = (numbers: readonly number[]): readonly number[] => numbers.map((_, index) => index + 1);

const STORE = '/var/lib/criu-flow/checkpoints';

describe.skipIf(labSkipReason !== undefined)('checkpoints', () => {
  let lab: MigrationLab;
  beforeAll(async () => {
    lab = await MigrationLab.up();
  });
  afterAll(() => lab?.down());
  afterEach(async () => {
    await lab.sh('a', `rm -rf ${STORE}`);
    await lab.reset();
  });

  const cli = (...args: readonly string[]): Promise<CliResult> =>
    runCli([...args, '--lab', lab.lab.name, '--reporter', 'plain']);
  /** A bundled recipe, with the file of the counter. */
  const withFiles = (base: string): string =>
    lab.writeText(`version: 1\nname: with files\nextends: ${base}\nfiles: [{ path: /srv/counter }]\n`);
  const keep = async (more: readonly string[] = []): Promise<CliResult> => {
    const pidFile = ['-i', 'host=a', '-i', 'pidFile=/srv/counter.pid', '-i', 'series=counter'];
    return cli('run', withFiles('checkpoint-and-keep-running'), ...pidFile, ...more);
  };
  const restore = (...more: readonly string[]): Promise<CliResult> =>
    cli('run', withFiles('restore-from-checkpoint'), '-i', 'host=a', '-i', 'series=counter', ...more);
  const newestRun = (): string =>
    readdirSync(join(lab.directory, 'state', 'criu-flow', 'runs'))
      .toSorted()
      .at(-1) ?? '';
  const numbers = async (): Promise<readonly number[]> =>
    (await lab.sh('a', "cut -d ' ' -f 1 /srv/counter/numbers")).split('\n').map(Number);
  const last = async (): Promise<number> => (await numbers()).at(-1) ?? -1;
  const series = (): Promise<string> =>
    lab.sh('a', `ls ${STORE}/counter | grep -x '[0-9]*' | sort -n | xargs`);
  const startCounter = async (): Promise<number> => {
    const pid = await lab.startCounter({ memoryMiB: 16 });
    await lab.sh('a', 'echo "$1" > /srv/counter.pid', String(pid));
    return pid;
  };
  const untilCounted = async (than: number): Promise<void> => {
    await lab.sh(
      'a',
      'until [ "$(tail -n 1 /srv/counter/numbers | cut -d " " -f 1)" -gt "$1" ]; do sleep 0.05; done',
      String(than),
    );
  };
  const untilGone = (pid: number): Promise<string> =>
    lab.sh('a', 'while [ -d "/proc/$1" ]; do sleep 0.05; done', String(pid));
  const expectClean = async (): Promise<void> => {
    expect(await lab.sh('a', `find /var/lib/criu-flow -maxdepth 1 -mindepth 1; nft list ruleset`)).toBe(
      STORE,
    );
  };

  test('a process that is killed goes on from its last checkpoint; old ones are removed by count', async () => {
    const pid = await startCounter();
    for (const _ of [1, 2, 3]) {
      const kept = await keep(['-i', 'keep=2']);
      expect(kept.exitCode, kept.stdout).toBe(0);
      expect(kept.stdout).toContain('Checkpoint kept: the workload runs on a.');
      await untilCounted(await last());
    }
    expect(await series()).toBe('2 3');
    const before = await numbers();
    expect(before).toEqual(counted(before));
    const atCheckpoint = Number(
      await lab.sh('a', `tail -n 1 ${STORE}/counter/3/files/1/numbers | cut -d ' ' -f 1`),
    );
    await untilCounted(atCheckpoint + 50);
    await expectClean();

    await lab.sh('a', 'kill -KILL "$1"', String(pid));
    await untilGone(pid);
    const restored = await restore();
    expect(restored.exitCode, restored.stdout).toBe(0);
    expect(restored.stdout).toContain('Restored from the checkpoint: the workload runs on a.');
    expect(await lab.processStart('a', pid)).not.toBe('');
    await untilCounted(atCheckpoint + 5);
    const after = await numbers();
    // The file came back too: no number is there twice, and none is left out.
    expect(after).toEqual(counted(after));
    await expectClean();
    expect(await series()).toBe('2 3');

    // And so it can be kept on, under the next number, and restored from an earlier one.
    expect((await keep(['-i', 'keep=3'])).exitCode).toBe(0);
    expect(await series()).toBe('2 3 4');
    await lab.sh('a', 'kill -KILL "$1"', String(pid));
    await untilGone(pid);
    const earlier = await restore('-i', 'checkpoint=2');
    expect(earlier.exitCode, earlier.stdout).toBe(0);
    expect(await last()).toBeLessThan(atCheckpoint + 50);
  });

  test('those that are too old are removed, but never the last one', async () => {
    await startCounter();
    expect((await keep()).exitCode).toBe(0);
    expect((await keep()).exitCode).toBe(0);
    await lab.sh('a', `touch -d '2 hours ago' ${STORE}/counter/1/checkpoint.json`);
    const kept = await keep(['-i', 'maxAge=1h']);
    expect(kept.stdout).toContain('checkpoint 3 of counter; 2 kept, 1 older removed');
    expect(await series()).toBe('2 3');
  });

  test('no second copy is started of a workload that runs', async () => {
    const pid = await startCounter();
    expect((await keep()).exitCode).toBe(0);
    const refused = await restore();
    expect(refused.exitCode, refused.stdout).toBe(4);
    expect(refused.stdout).toContain(`The workload of the checkpoint still runs on a, process ${pid}`);
    await untilCounted(await last());
    await expectClean();
  });

  test('nor of one that was started again by other means, until a person says that it may be', async () => {
    const pid = await startCounter();
    expect((await keep()).exitCode).toBe(0);
    await lab.sh('a', 'kill -KILL "$1"', String(pid));
    await untilGone(pid);
    const again = await lab.startCounter({ memoryMiB: 16 });
    const refused = await restore();
    expect(refused.exitCode, refused.stdout).toBe(4);
    expect(refused.stdout).toContain(`runs on a with the same arguments, process ${again}`);
    await lab.sh('a', 'kill -KILL "$1"', String(again));
    await untilGone(again);
    expect((await restore()).exitCode).toBe(0);
    expect(await lab.processStart('a', pid)).not.toBe('');
  });

  test('nor of one that has moved away', async () => {
    const pid = await startCounter();
    expect((await keep()).exitCode).toBe(0);
    const move = lab.writeRecipe({
      workload: 'pidFile: /srv/counter.pid',
      files: ['/srv/counter'],
      steps: '- uses: preflight\n- uses: dump\n- uses: transfer/rsync\n- uses: restore',
    });
    const moved = await cli('run', move);
    expect(moved.exitCode, moved.stdout).toBe(0);
    const refused = await restore();
    expect(refused.exitCode, refused.stdout).toBe(4);
    expect(refused.stdout).toContain('The workload of the checkpoint has moved to b since');
    expect(refused.stdout).toContain(`touch ${STORE}/counter/1/has-ended`);
    // It ends there, and a person says so.
    await lab.sh('b', 'kill -KILL "$1"', String(pid));
    await lab.sh('a', `touch ${STORE}/counter/1/has-ended`);
    const restored = await restore();
    expect(restored.exitCode, restored.stdout).toBe(0);
    expect(await lab.processStart('a', pid)).not.toBe('');
  });

  test('what is not there, and files that are not those of the checkpoint, are named', async () => {
    const pid = await startCounter();
    const missing = await restore();
    expect(missing.exitCode, missing.stdout).toBe(4);
    expect(missing.stdout).toContain('There is no checkpoint of counter on a');
    expect((await keep()).exitCode).toBe(0);
    const other = await restore('-i', 'checkpoint=7');
    expect(other.stdout).toContain('There is no checkpoint 7 of counter on a; there are 1');
    await lab.sh('a', 'kill -KILL "$1"', String(pid));
    await untilGone(pid);
    const bare = await cli('run', 'restore-from-checkpoint', '-i', 'host=a', '-i', 'series=counter');
    expect(bare.exitCode, bare.stdout).toBe(4);
    expect(bare.stdout).toContain('The checkpoint has /srv/counter, which is not among the files');
  });

  test('a checkpoint whose images were damaged is not restored, and nothing is changed', async () => {
    const pid = await startCounter();
    expect((await keep()).exitCode).toBe(0);
    await lab.sh(
      'a',
      `kill -KILL "$1"; printf x | dd of=$(ls ${STORE}/counter/1/images/pages-*.img | head -n 1) bs=1 seek=9000 conv=notrunc status=none`,
      String(pid),
    );
    await untilGone(pid);
    const before = await last();
    const refused = await restore();
    expect(refused.exitCode, refused.stdout).toBe(5);
    expect(refused.stdout).toContain('IMAGES_CORRUPTED');
    expect(refused.stdout).toContain('the workload does not run on a; its checkpoint is as it was');
    expect(await lab.processStart('a', pid)).toBe('');
    expect(await last()).toBe(before);
    await expectClean();
  });

  test('a controller that is killed while the process is frozen leaves it running; rollback cleans up', async () => {
    await startCounter();
    const recipe = withFiles('checkpoint-and-keep-running');
    const inputs = ['-i', 'host=a', '-i', 'pidFile=/srv/counter.pid', '-i', 'series=counter'];
    const killed = await runCli(['run', recipe, ...inputs, '--lab', lab.lab.name, '--reporter', 'json'], {
      onStdout: (text, kill) => {
        if (text.includes('"stepId":"3-checkpoint"')) kill('SIGKILL');
      },
    });
    expect(killed.exitCode).toBe(null);
    const back = await cli('rollback', newestRun());
    expect(back.exitCode, back.stdout).toBe(0);
    await untilCounted(await last());
    const after = await numbers();
    expect(after).toEqual(counted(after));
  });

  test('a controller that is killed during a restore: rollback leaves nothing, resume lets it run', async () => {
    const pid = await startCounter();
    expect((await keep()).exitCode).toBe(0);
    await lab.sh('a', 'kill -KILL "$1"', String(pid));
    await untilGone(pid);
    const recipe = withFiles('restore-from-checkpoint');
    const killedAt = async (moment: string): Promise<void> => {
      const args = ['run', recipe, '-i', 'host=a', '-i', 'series=counter', '--lab', lab.lab.name];
      const killed = await runCli([...args, '--reporter', 'json'], {
        onStdout: (text, kill) => {
          if (text.includes(moment)) kill('SIGKILL');
        },
      });
      expect(killed.exitCode).toBe(null);
    };
    await killedAt('"stepId":"3-restore"');
    const back = await cli('rollback', newestRun());
    expect(back.exitCode, back.stdout).toBe(0);
    expect(await lab.processStart('a', pid)).toBe('');
    await expectClean();
    await killedAt('"phase":"release"');
    const on = await cli('resume', newestRun());
    expect(on.exitCode, on.stdout).toBe(0);
    expect(await lab.processStart('a', pid)).not.toBe('');
    await untilCounted(await last());
    const after = await numbers();
    expect(after).toEqual(counted(after));
    await expectClean();
  });
});
