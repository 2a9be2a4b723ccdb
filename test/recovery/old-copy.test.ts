import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runCli } from '../helpers/cli.ts';
import { labSkipReason } from '../helpers/migration-lab.ts';
import { MOVE_STEPS, MovingService } from '../helpers/moving-service.ts';

describe.skipIf(labSkipReason !== undefined)('an old copy of the directory of a run', () => {
  const service = new MovingService();
  const { cli, recipe, newestRun, killedAt, expectOnly } = service;

  /** Starts to move the service; at a moment the run's directory is copied, and the run goes on to its end. @returns the copy */
  const copiedAt = async (moment: string, steps?: string): Promise<string> => {
    const copy = join(service.lab.directory, `copy-${moment.replace(' ', '-')}`);
    const done = await service.run((text, kill) => {
      if (!text.includes(`${moment}\n`)) return;
      kill('SIGSTOP');
      cpSync(join(service.runsDirectory, newestRun()), copy, { recursive: true });
      kill('SIGCONT');
    }, recipe(steps));
    expect(done.exitCode, done.stdout).toBe(0);
    return copy;
  };

  test.each(['phase prepare', 'phase restore'])(
    'a copy of the run’s directory from %s undoes nothing of a run that has moved',
    async (moment) => {
      const mark =
        '- { uses: command, with: { on: source, argv: ["true"] }, rollback: [{ uses: command, with: { on: source, argv: [touch, /srv/second-copy] } }] }';
      const copy = await copiedAt(moment, `${mark}\n${MOVE_STEPS}`);
      expect(await cli('status', copy)).toMatchObject({
        exitCode: 0,
        stdout: expect.stringContaining(
          'The workload runs on b, as far as its pid and its command line tell',
        ),
      });
      for (const verb of ['rollback', 'resume', 'resume --force']) {
        const refused = await cli(...verb.split(' '), copy);
        expect(refused.exitCode, refused.stdout + refused.stderr).toBe(4);
        expect(refused.stdout + refused.stderr).toMatch(
          /Nothing of run \S+ is left on a, nor is its workload[^]*criu-flow status/,
        );
      }
      await expectOnly('b');
      expect(await service.lab.sh('a', 'ls /srv')).not.toContain('second-copy');
    },
  );

  test('a copy that does not know the last attempt is told so, and does nothing', async () => {
    const first = await killedAt('phase prepare');
    const copy = join(service.lab.directory, 'copy-of-the-first-attempt');
    cpSync(join(service.runsDirectory, first), copy, { recursive: true });
    await runCli(['resume', first, '--lab', service.lab.lab.name, '--reporter', 'plain'], {
      onStdout: (text, kill) => {
        if (text.includes('phase restore\n')) kill('SIGKILL');
      },
    });
    const refused = await cli('rollback', copy);
    expect(refused.exitCode, refused.stdout + refused.stderr).toBe(4);
    expect(refused.stdout + refused.stderr).toContain(`Run ${first} was taken up since`);
    expect(await cli('rollback', first)).toMatchObject({ exitCode: 0 });
    await expectOnly('a');
  });
});
