import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { digestOf } from '../../src/plan/digest.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { RunDirectory } from '../../src/store/run-directory.ts';
import { type CliResult, runCli } from '../helpers/cli.ts';
import { planWith } from '../helpers/plan.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

/** Runs whose hosts are this machine, where they have left nothing. */
let state: TemporaryDirectory;
beforeEach(() => {
  state = temporaryDirectory();
});
afterEach(() => state[Symbol.dispose]());

const cli = (...args: readonly string[]): Promise<CliResult> =>
  runCli(args, { env: { XDG_STATE_HOME: state.path } });

/** A run that was rolled back. */
function write(id: string): RunDirectory {
  const plan: Plan = planWith({ source: 'local', destination: 'local' });
  const directory = RunDirectory.create(
    id,
    { ...plan, digest: digestOf(plan) },
    {},
    {
      XDG_STATE_HOME: state.path,
    },
  );
  directory.append({ kind: 'attempt', goal: 'run', epoch: 1 }, { durable: false });
  directory.append({ kind: 'run-finished', summary: { outcome: 'rolled-back' } }, { durable: false });
  directory.close();
  return directory;
}

const TOUCHED_NOTHING = 'Nothing was touched: the run ended before it found the workload.\n';
const OVER = 'Run 20261123-142339-a1b2 has come to its end: there is nothing to do.\n';

describe('a run is named by its id, by a beginning or an end of it, by the path of its directory', () => {
  test.each([
    ['status', TOUCHED_NOTHING],
    ['resume', OVER],
    ['rollback', OVER],
  ])('%s', async (verb, said) => {
    const { path } = write('20261123-142339-a1b2');
    write('20261124-142339-beef');
    for (const name of ['20261123-142339-a1b2', 'a1b2', '20261123', path]) {
      expect(await cli(verb, name), name).toEqual({ exitCode: 0, stdout: said, stderr: '' });
    }
    const several = await cli(verb, '2026112');
    expect(several).toMatchObject({ exitCode: 2, stdout: '' });
    expect(several.stderr).toMatch(/^error USAGE: "2026112" is short for 2 runs\n[^]*20261124-142339-beef/);
    const none = await cli(verb, 'c0de');
    expect(none).toMatchObject({ exitCode: 2, stdout: '' });
    expect(none.stderr).toMatch(/^error RUN_NOT_FOUND: There is no run "c0de"/);
  });
});
