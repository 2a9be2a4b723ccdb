import { existsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Progress, readProgress } from '../../src/engine/read-progress.ts';
import { Redactor } from '../../src/engine/redactor.ts';
import { StepRunner } from '../../src/engine/step-runner.ts';
import { lockWorkload } from '../../src/lock/workload-lock.ts';
import type { CommandStep, Plan, PlanStep } from '../../src/plan/plan.ts';
import type { JournalRecord } from '../../src/store/journal-format.ts';
import { RunDirectory } from '../../src/store/run-directory.ts';
import { planWith } from '../helpers/plan.ts';
import { rootedHost } from '../helpers/rooted-host.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

/** What is taken back of an earlier attempt. Both hosts are this machine, with locks of the test's own. */
let directory: TemporaryDirectory;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory[Symbol.dispose]());

const dump: PlanStep = { uses: 'dump', id: '1-dump', title: 'Dump', rollback: [] };
const command: CommandStep = {
  uses: 'command',
  id: '1-command',
  title: 'A command',
  on: 'local',
  argv: ['true'],
  rollback: [],
};

/** What an attempt has left in the journal. */
function progressOf(...records: readonly (Partial<JournalRecord> & { readonly kind: string })[]): Progress {
  return readProgress(
    [{ kind: 'attempt', goal: 'run', epoch: 1 }, ...records].map((record, index) => ({
      sequence: index + 1,
      at: '',
      ...record,
    })),
  );
}

function runnerOf(steps: readonly PlanStep[], progress: Progress): StepRunner {
  const touch = (name: string): Plan['rollback'][number] => ({
    on: 'local',
    argv: ['touch', directory.at(name)],
  });
  const plan = planWith({
    steps,
    rollback: [touch('rolled-back')],
    always: [{ ...command, id: 'always', ...touch('always') }],
  });
  const hosts = {
    source: rootedHost('a', directory.at('a')),
    destination: rootedHost('b', directory.at('b')),
    local: rootedHost('local', directory.path),
  };
  return new StepRunner({
    plan,
    runId: 'r1',
    epoch: 2,
    earlier: { epoch: 1, progress: () => progress, wasAtWork: false, strategy: 'stop-and-copy' },
    connection: { ...hosts, lost: {}, close: async () => undefined },
    emit: () => undefined,
    directory: RunDirectory.create('r1', plan, {}, { XDG_STATE_HOME: directory.at('state') }),
    signal: new AbortController().signal,
    secrets: new Map(),
    redactor: new Redactor(),
  });
}

const started = (stepId: string) => ({ kind: 'step-started', stepId });
const finished = (stepId: string, status = 'done') => ({
  kind: 'step-finished',
  stepId,
  result: { status },
});
const reason = { code: 'INTERRUPTED', message: 'gone' } as const;

test.each<[string, boolean, readonly PlanStep[], ReturnType<typeof started>[]]>([
  ['was killed before its locks', false, [dump], []],
  ['was killed while it waited for its locks', false, [dump], [started('lock')]],
  ['was refused its locks', false, [dump], [started('lock'), finished('lock', 'failed')]],
  ['had its locks', true, [dump], [started('lock'), finished('lock')]],
  ['began a step, though its disk was full at the lock', true, [dump], [started('lock'), started('2-x')]],
  ['needs no locks, and was killed before its first step', false, [command], []],
  ['needs no locks', true, [command], [started('1-command')]],
])(
  'of a run that %s, what its recipe does at the end of a rollback is done: %s',
  async (_, isDone, steps, records) => {
    expect(await runnerOf(steps, progressOf(...records)).rollBack(reason)).toEqual([]);
    expect(existsSync(directory.at('rolled-back'))).toBe(isDone);
    expect(existsSync(directory.at('always'))).toBe(isDone);
  },
);

describe('who else has the workload is told, with a command that changes nothing of theirs', () => {
  const workload = { kind: 'workload', workload: { rootPid: 42, processes: [{ pid: 42, threads: [42] }] } };
  const progress = progressOf(started('lock'), workload, finished('lock'));

  test.each(['a', 'b'])('another run, on %s', async (name) => {
    await lockWorkload(rootedHost(name, directory.at(name)), { runId: 'r2', epoch: 1, pids: [42] });
    const [failure, ...others] = await runnerOf([dump], progress).rollBack(reason);
    expect(failure).toMatchObject({ code: 'LOCKED', host: name, command: 'criu-flow status r2' });
    expect(JSON.stringify(failure)).not.toMatch(/rollback|resume|unlock/);
    expect(others).toEqual([]);
    expect(existsSync(directory.at('rolled-back'))).toBe(false);
  });

  test('another controller of this run', async () => {
    await lockWorkload(rootedHost('a', directory.at('a')), { runId: 'r1', epoch: 3, pids: [42] });
    expect(await runnerOf([dump], progress).rollBack(reason)).toMatchObject([
      { code: 'SUPERSEDED', host: 'a' },
    ]);
    expect(existsSync(directory.at('rolled-back'))).toBe(false);
  });
});
