import { describe, expect, test } from 'vitest';
import { runSequence, type RunSequenceOptions } from '../../src/engine/run-sequence.ts';
import { FlowError } from '../../src/errors/flow-error.ts';
import type { RunSummary } from '../../src/events/event.ts';
import type { PlanCheck } from '../../src/events/plan-check.ts';
import type { SequenceEvent, SequenceSummary } from '../../src/events/sequence-event.ts';
import type { Plan, SequencePlan } from '../../src/plan/plan.ts';
import { planWith } from '../helpers/plan.ts';

/** Three moves from `a` to `b`. */
const sequence: SequencePlan = {
  version: 1,
  kind: 'sequence',
  name: 'Three moves',
  file: 's.yaml',
  digest: '',
  runs: [1, 2, 3].map((pid) => ({
    title: `Move ${pid}`,
    plan: planWith({ workload: { kind: 'pid', pid } }),
  })),
};

const GOOD: PlanCheck = { findings: [], allowed: [], exitCode: 0 };
const REFUSED: PlanCheck = {
  findings: [{ code: 'PID_TAKEN', host: 'b', message: 'the pid is taken', remedy: 'End it.' }],
  allowed: [],
  exitCode: 4,
};

const moved: RunSummary = {
  runId: 'id',
  kind: 'move',
  outcome: 'done',
  exitCode: 0,
  workloadIsOn: 'destination',
  source: 'a',
  destination: 'b',
  phasesMs: {},
  durationMs: 1,
  undoFailures: [],
  warnings: [],
  runDirectory: '/runs/id',
};
const rolledBack: RunSummary = { ...moved, outcome: 'rolled-back', exitCode: 5, workloadIsOn: 'source' };

interface Seen {
  readonly summary: SequenceSummary;
  /** What was done, in order. */
  readonly diary: readonly string[];
}

/** Runs them with hosts that answer so, by the pid of the run. */
async function run(
  answers: {
    readonly checks?: Readonly<Record<number, PlanCheck>>;
    readonly ends?: Readonly<Record<number, RunSummary | Error>>;
    readonly onRun?: (pid: number) => void;
    readonly onCheck?: (pid: number) => void;
  },
  options: Partial<RunSequenceOptions> = {},
): Promise<Seen> {
  const { checks = {}, ends = {} } = answers;
  const diary: string[] = [];
  const pidOf = ({ workload }: Plan): number => (workload.kind === 'pid' ? workload.pid : 0);
  const summary = await runSequence(
    sequence,
    {
      signal: new AbortController().signal,
      onEvent: ({ kind }: SequenceEvent) => diary.push(kind),
      watchRun: async () => ({
        emit: ({ kind }) => diary.push(kind),
        finish: async () => void diary.push('finished'),
      }),
      commandFrom: (number) => `--from ${number}`,
      ...options,
    },
    {
      async checkPlan(plan) {
        diary.push(`check ${pidOf(plan)}`);
        answers.onCheck?.(pidOf(plan));
        return checks[pidOf(plan)] ?? GOOD;
      },
      async runPlan(plan, { emit }) {
        diary.push(`run ${pidOf(plan)}`);
        answers.onRun?.(pidOf(plan));
        const end = ends[pidOf(plan)] ?? moved;
        if (end instanceof Error) throw end;
        emit({ kind: 'run-finished', summary: end });
        return end;
      },
    },
  );
  return { summary, diary };
}

const done = (diary: readonly string[]): readonly string[] =>
  diary.filter((each) => /^(check|run) \d/.test(each));

test('all are checked, then one is run after another, each when the report of the one before is finished', async () => {
  const { summary, diary } = await run({});
  expect(diary).toEqual([
    'sequence-started',
    ...[1, 2, 3].flatMap((pid) => [`check ${pid}`, 'sequence-run-checked']),
    ...[1, 2, 3].flatMap((pid) => ['sequence-run-started', `run ${pid}`, 'run-finished', 'finished']),
    'sequence-finished',
  ]);
  expect(summary).toMatchObject({ outcome: 'done', exitCode: 0, runs: [{}, { state: 'ended' }, {}] });
  expect(summary.goOn).toBeUndefined();
});

test('when one would be refused none begins, and all are asked for nevertheless', async () => {
  const { summary, diary } = await run({ checks: { 2: REFUSED } });
  expect(done(diary)).toEqual(['check 1', 'check 2', 'check 3']);
  expect(summary).toMatchObject({ outcome: 'refused', exitCode: 4 });
  expect(summary.runs.map(({ state }) => state)).toEqual(['not-begun', 'not-begun', 'not-begun']);
});

test('it stops at a run that fails, with its exit code', async () => {
  const { summary, diary } = await run({ ends: { 2: rolledBack } });
  expect(done(diary)).toEqual(['check 1', 'check 2', 'check 3', 'run 1', 'run 2']);
  expect(summary).toMatchObject({
    outcome: 'stopped',
    exitCode: 5,
    runs: [{ state: 'ended' }, { state: 'ended', summary: rolledBack }, { number: 3, state: 'not-begun' }],
    goOn: { run: 2, workload: 'not-moved', first: [], again: '--from 2', next: '--from 3' },
  });
});

test('what comes before the first that is wanted is neither checked nor run', async () => {
  const { summary, diary } = await run({}, { from: 3 });
  expect(done(diary)).toEqual(['check 3', 'run 3']);
  expect(summary.runs.map(({ state }) => state)).toEqual(['left-out', 'left-out', 'ended']);
});

describe('an interrupt', () => {
  const interrupt = new FlowError('INTERRUPTED', 'Interrupted by SIGTERM', { evidence: 'SIGTERM' });

  test('while the hosts are asked: nothing begins', async () => {
    const controller = new AbortController();
    const { summary, diary } = await run(
      { onCheck: (pid) => pid === 2 && controller.abort(interrupt) },
      { signal: controller.signal },
    );
    expect(done(diary)).toEqual(['check 1', 'check 2']);
    expect(summary).toMatchObject({ outcome: 'refused', exitCode: 143 });
  });

  test('past the commit of a run: that one goes on to its end, and no other begins', async () => {
    const controller = new AbortController();
    const { summary, diary } = await run(
      { onRun: () => controller.abort(interrupt) },
      { signal: controller.signal },
    );
    expect(done(diary).slice(3)).toEqual(['run 1']);
    expect(summary).toMatchObject({
      outcome: 'stopped',
      exitCode: 143,
      runs: [{ state: 'ended' }, { state: 'not-begun' }, { state: 'not-begun' }],
      goOn: { run: 2, workload: 'not-moved', again: '--from 2', next: '--from 3' },
    });
  });

  test('past the commit of the last one: nothing was left to begin', async () => {
    const controller = new AbortController();
    const { summary } = await run(
      { onRun: (pid) => pid === 3 && controller.abort(interrupt) },
      { signal: controller.signal },
    );
    expect(summary).toMatchObject({ outcome: 'done', exitCode: 0 });
  });
});

test('a run whose directory cannot be made ends the sequence, which tells what has moved', async () => {
  const { summary, diary } = await run({ ends: { 2: new FlowError('JOURNAL_FAILED', 'the disk is full') } });
  expect(diary.slice(-2)).toEqual(['finished', 'sequence-finished']);
  expect(summary).toMatchObject({
    exitCode: 4,
    runs: [{ state: 'ended' }, { state: 'failed', failure: { code: 'JOURNAL_FAILED' } }, {}],
    goOn: { workload: 'not-moved', again: '--from 2' },
  });
});

test('a bug in a run: where its workload is, a person looks', async () => {
  const { summary } = await run({ ends: { 1: new Error('unexpected') } });
  expect(summary).toMatchObject({ exitCode: 1, goOn: { workload: 'unknown' } });
});

test('without a way to write the command none is given', async () => {
  const { summary } = await run({ ends: { 2: rolledBack } }, { commandFrom: undefined });
  expect(summary.goOn).toEqual({ run: 2, workload: 'not-moved', first: [] });
});

describe('how to go on', () => {
  const toDo = { look: ['criu-flow status id'], mend: ['criu-flow resume id'] };
  const failure = { code: 'CLEAN_UP_FAILED', message: 'left', command: 'criu-flow resume id' } as const;
  test.each<[string, Partial<RunSummary>, SequenceSummary['goOn']]>([
    [
      'moved, and something was missed',
      { outcome: 'moved-but-missed', exitCode: 7 },
      { run: 2, workload: 'moved', first: [], next: '--from 3' },
    ],
    [
      'moved, and something is left on a host',
      { outcome: 'moved-but-missed', exitCode: 7, undoFailures: [failure] },
      { run: 2, workload: 'moved', first: ['criu-flow resume id'], next: '--from 3' },
    ],
    [
      'a person is needed',
      { outcome: 'rollback-incomplete', exitCode: 6, toDo },
      { run: 2, workload: 'unknown', first: toDo.mend, again: '--from 2', next: '--from 3' },
    ],
    [
      'another controller has taken it',
      { outcome: 'superseded', exitCode: 8, toDo: { look: toDo.look, mend: [] } },
      { run: 2, workload: 'unknown', first: toDo.look, again: '--from 2', next: '--from 3' },
    ],
    [
      'refused, and not seen',
      { outcome: 'refused', exitCode: 4, workloadIsOn: 'unknown' },
      { run: 2, workload: 'not-moved', first: [], again: '--from 2', next: '--from 3' },
    ],
    [
      'moved back by a second run',
      { outcome: 'done', exitCode: 5, source: 'b', destination: 'a' },
      { run: 2, workload: 'not-moved', first: [], again: '--from 2', next: '--from 3' },
    ],
    [
      'a second run could not even ask to move it back',
      { outcome: 'refused', exitCode: 7, source: 'b', destination: 'a', workloadIsOn: 'unknown' },
      { run: 2, workload: 'unknown', first: [], again: '--from 2', next: '--from 3' },
    ],
    [
      'a second run was refused, where it had moved to',
      { outcome: 'refused', exitCode: 7, source: 'b', destination: 'a', workloadIsOn: 'source' },
      { run: 2, workload: 'moved', first: [], next: '--from 3' },
    ],
    [
      'a checkpoint that was not kept',
      { kind: 'checkpoint', outcome: 'rolled-back', exitCode: 5, destination: 'a', workloadIsOn: 'source' },
      { run: 2, workload: 'not-moved', first: [], again: '--from 2', next: '--from 3' },
    ],
    [
      'a restore that missed something',
      { kind: 'restore', outcome: 'moved-but-missed', exitCode: 7, source: 'b' },
      { run: 2, workload: 'moved', first: [], next: '--from 3' },
    ],
  ])('%s', async (_, end, goOn) => {
    const { summary } = await run({ ends: { 2: { ...moved, ...end } } });
    expect(summary.goOn).toEqual(goOn);
  });

  test('the last one that moved leaves nothing to go on with', async () => {
    const { summary } = await run({ ends: { 3: { ...moved, outcome: 'moved-but-missed', exitCode: 7 } } });
    expect(summary.goOn).toEqual({ run: 3, workload: 'moved', first: [] });
  });
});
