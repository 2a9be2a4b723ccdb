import { readFileSync, statSync } from 'node:fs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { runPlan } from '../../src/engine/run-plan.ts';
import { FlowError } from '../../src/errors/flow-error.ts';
import type { FlowEvent, RunSummary } from '../../src/events/event.ts';
import type { CommandSpec, Plan, PlanStep } from '../../src/plan/plan.ts';
import { RunDirectory } from '../../src/store/run-directory.ts';
import { planWith } from '../helpers/plan.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

let directory: TemporaryDirectory;
beforeEach(() => {
  directory = temporaryDirectory();
  vi.stubEnv('XDG_STATE_HOME', directory.at('state'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  directory[Symbol.dispose]();
});

const sh = (script: string, ...args: readonly string[]): CommandSpec => ({
  on: 'local',
  argv: ['sh', '-c', script, 'sh', ...args],
});
/** Writes a word into the diary of the test. */
const note = (word: string): CommandSpec => sh('echo "$2" >> "$1"', directory.at('diary'), word);
const diary = (): string[] => readFileSync(directory.at('diary'), 'utf8').trim().split('\n');

let number = 0;
const step = (spec: CommandSpec, more: Partial<PlanStep> = {}): PlanStep => {
  number += 1;
  return {
    uses: 'command',
    id: `${number}-command`,
    title: 'A command',
    rollback: [],
    ...spec,
    ...more,
  } as PlanStep;
};

/** A plan that asks no other machine. */
const planOf = (...steps: readonly PlanStep[]): Plan =>
  planWith({ source: 'local', destination: 'local', steps });

const run = async (
  plan: Plan,
  onEvent: (event: FlowEvent) => void = () => undefined,
  signal: AbortSignal = new AbortController().signal,
): Promise<{ summary: RunSummary; events: readonly FlowEvent[] }> => {
  const events: FlowEvent[] = [];
  const summary = await runPlan(plan, {
    emit: (event) => {
      events.push(event);
      onEvent(event);
    },
    signal,
  });
  return { summary, events };
};

test('steps run in their order; when one fails the rollback commands of all that began run, the last step’s first', async () => {
  const { summary, events } = await run(
    planOf(
      step(note('one'), { rollback: [note('undo one'), note('undo one again')] }),
      step(sh('echo "the reason" >&2; exit 3'), { rollback: [note('undo two')] }),
      step(note('never'), { rollback: [note('undo never')] }),
    ),
  );
  expect(diary()).toEqual(['one', 'undo two', 'undo one', 'undo one again']);
  expect(summary).toMatchObject({
    outcome: 'rolled-back',
    exitCode: 5,
    workloadIsOn: 'unknown',
    failure: { code: 'COMMAND_FAILED', evidence: 'the reason' },
    undoFailures: [],
  });
  expect(events.at(-1)).toEqual({ kind: 'run-finished', summary });
});

test('an undo that fails is told, does not hide the first failure, and does not stop the others', async () => {
  const { summary } = await run(
    planOf(
      step(note('one'), { rollback: [note('undo one')] }),
      step(sh('exit 3'), { rollback: [sh('exit 4')] }),
    ),
  );
  expect(diary()).toEqual(['one', 'undo one']);
  expect(summary).toMatchObject({
    outcome: 'rollback-incomplete',
    exitCode: 6,
    failure: { message: expect.stringContaining('exit code 3') },
    undoFailures: [{ message: expect.stringContaining('exit code 4') }],
  });
});

test('a step whose time is over is ended and rolled back: 124', async () => {
  const { summary } = await run(
    planOf(step(sh('exec sleep 60'), { timeoutMs: 200, title: 'Sleep', rollback: [note('undone')] })),
  );
  expect(summary).toMatchObject({
    outcome: 'rolled-back',
    exitCode: 124,
    failure: { code: 'TIMEOUT', message: '“Sleep” took longer than 0.2 s' },
  });
  expect(diary()).toEqual(['undone']);
});

test('an interrupted run is rolled back, and says by which signal', async () => {
  const controller = new AbortController();
  const { summary } = await run(
    planOf(step(sh('exec sleep 60'), { rollback: [note('undone')] }), step(note('never'))),
    (event) => {
      if (event.kind === 'step-started') {
        controller.abort(new FlowError('INTERRUPTED', 'stopped', { evidence: 'SIGTERM' }));
      }
    },
    controller.signal,
  );
  expect(summary).toMatchObject({ outcome: 'rolled-back', exitCode: 143, failure: { code: 'INTERRUPTED' } });
  expect(diary()).toEqual(['undone']);
});

test('a run that is interrupted before it began touched nothing', async () => {
  const signal = AbortSignal.abort(new FlowError('INTERRUPTED', 'stopped', { evidence: 'SIGINT' }));
  const { summary } = await run(planOf(step(note('never'))), undefined, signal);
  expect(summary).toMatchObject({ outcome: 'refused', exitCode: 130, workloadIsOn: 'unknown' });
});

test('a host that cannot be connected to is a refusal, and not a bug', async () => {
  const { summary } = await run({ ...planOf(step(note('never'))), destination: '-oProxyCommand=reboot' });
  expect(summary).toMatchObject({
    outcome: 'refused',
    exitCode: 4,
    workloadIsOn: 'unknown',
    failure: { code: 'INPUT_INVALID' },
  });
});

test('the journal has every event but progress; what is about to happen is on disk before it does, what came of it right after', async () => {
  const append = vi.spyOn(RunDirectory.prototype, 'append');
  const { summary, events } = await run(planOf(step(note('one')), step(sh('exit 1'))));
  const journal = readFileSync(`${summary.runDirectory}/journal.jsonl`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as FlowEvent);
  expect(journal.map((record) => record.kind)).toEqual([
    'journal',
    'attempt',
    ...events.map((event) => event.kind),
  ]);
  expect(journal[0]).toMatchObject({ at: expect.stringMatching(/^\d{4}-.*Z$/) });
  for (const [event, { durable }] of append.mock.calls.slice(2)) {
    const { kind } = event as FlowEvent;
    expect({ event, durable }).toEqual({ event, durable: /-(started|finished)$/.test(kind) });
  }
  expect(statSync(summary.runDirectory).mode & 0o777).toBe(0o700);
});

/** The controller's disk is full from the first event that `when` matches. */
function fillDisk(when: (event: FlowEvent) => boolean): void {
  let isFull = false;
  vi.spyOn(RunDirectory.prototype, 'append').mockImplementation((event) => {
    isFull ||= when(event as FlowEvent);
    if (isFull) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  });
}

test('a step that cannot be written down does not begin', async () => {
  fillDisk((event) => event.kind === 'step-started');
  const { summary } = await run(planOf(step(note('never'))));
  expect(summary).toMatchObject({
    outcome: 'refused',
    failure: { message: expect.stringContaining('ENOSPC') },
  });
});

test('a full disk on the controller does not stop the rollback', async () => {
  fillDisk((event) => event.kind === 'rollback-started');
  const { summary, events } = await run(planOf(step(sh('exit 3'), { rollback: [note('undone')] })));
  expect(diary()).toEqual(['undone']);
  expect(summary).toMatchObject({ outcome: 'rolled-back', exitCode: 5 });
  expect(summary.warnings).toEqual([expect.stringContaining('ENOSPC')]);
  expect(events.filter((event) => event.kind === 'warning')).toHaveLength(1);
});
