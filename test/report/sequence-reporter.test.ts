import { expect, test } from 'vitest';
import type { RunSummary } from '../../src/events/event.ts';
import type { SequenceEvent, SequenceRunEnd, SequenceSummary } from '../../src/events/sequence-event.ts';
import { createPaint } from '../../src/report/format.ts';
import type { ReporterKind } from '../../src/report/reporter.ts';
import { createSequenceReporter } from '../../src/report/sequence-reporter.ts';
import { formatSequenceSummary } from '../../src/report/sequence-summary.ts';

const view = (number: number) => ({
  number,
  title: `Move ${number}`,
  source: 'root@a',
  destination: 'root@b',
});
const moved: RunSummary = {
  runId: 'id-1',
  kind: 'move',
  outcome: 'done',
  exitCode: 0,
  workloadIsOn: 'destination',
  source: 'root@a',
  destination: 'root@b',
  phasesMs: {},
  durationMs: 1000,
  undoFailures: [],
  warnings: [],
  runDirectory: '/runs/r',
};
const rolledBack: RunSummary = {
  ...{ ...moved, runId: 'id-2', outcome: 'rolled-back', exitCode: 5, workloadIsOn: 'source' },
  failure: { code: 'DUMP_FAILED', message: 'criu dump failed' },
};
const first: SequenceRunEnd = { ...view(1), state: 'ended', summary: moved };
const third: SequenceRunEnd = { ...view(3), state: 'not-begun' };
const stopped: SequenceSummary = {
  name: 'Drain it',
  outcome: 'stopped',
  exitCode: 5,
  runs: [first, { ...view(2), state: 'ended', summary: rolledBack }, third],
  goOn: {
    ...{ run: 2, workload: 'not-moved', first: [] },
    ...{ again: 'criu-flow run x --from 2', next: 'criu-flow run x --from 3' },
  },
};
const text = (summary: SequenceSummary): string => formatSequenceSummary(summary, createPaint(false));

test('where it stopped: where each workload is, what was not begun, and what to paste', () => {
  expect(text(stopped)).toBe(`Drain it: stopped at run 2 of 3.

  run 1  Move 1
         Moved: the workload runs on root@b (the destination). (run id-1)
  run 2  Move 2
         Failed and rolled back: the workload runs on root@a (the source). (run id-2)
  run 3  Move 3
         Not begun: nothing was touched on root@a.

To go on, once the cause of that is mended:
  criu-flow run x --from 2
To go on without run 2:
  criu-flow run x --from 3`);
});

test('a person who is needed does that first, and then looks where the workload is', () => {
  const goOn = { ...stopped.goOn, run: 2, workload: 'unknown', first: ['criu-flow resume id-2'] } as const;
  expect(text({ ...stopped, goOn })).toContain(`
First do about run 2 what is said above:
  criu-flow resume id-2
Then, when its workload runs on root@a, to go on with run 2:
  criu-flow run x --from 2
or, when it runs on root@b, with run 3:
  criu-flow run x --from 3`);
});

test.each<[string, Partial<SequenceSummary>, string]>([
  ['all', { outcome: 'done', exitCode: 0, runs: [first] }, 'Drain it: 1 run has ended well.'],
  [
    'those from one on',
    { outcome: 'done', exitCode: 0, runs: [{ ...view(1), state: 'left-out' }, first, first] },
    'Drain it: 2 runs have ended well.',
  ],
  [
    'none',
    { outcome: 'refused', exitCode: 4 },
    'Drain it: refused before anything was touched. What is in the way is said above, under its run.',
  ],
  [
    'none, for ^C',
    { outcome: 'refused', exitCode: 130 },
    'Drain it: interrupted before anything was touched.',
  ],
  [
    'some, for ^C after a commit',
    {
      runs: [first, { ...view(2), state: 'not-begun' }],
      goOn: { run: 2, workload: 'not-moved', first: [], again: 'x' },
    },
    'Drain it: stopped before run 2 of 2.',
  ],
])('%s', (_, more, headline) => {
  const { goOn: __, ...rest } = stopped;
  expect(text({ ...rest, ...more }).split('\n')[0]).toBe(headline);
});

test('one that moved is done with: only the next one is left', () => {
  const goOn = { run: 2, workload: 'moved', first: [], next: 'criu-flow run x --from 3' } as const;
  expect(text({ ...stopped, goOn })).toMatch(/\nTo go on with run 3:\n {2}criu-flow run x --from 3$/);
});

test('one that could not begin says why', () => {
  const failure = { code: 'JOURNAL_FAILED', message: 'the disk is full' } as const;
  const runs: readonly SequenceRunEnd[] = [first, { ...view(2), state: 'failed', failure }];
  expect(text({ ...stopped, runs })).toContain('\n         error JOURNAL_FAILED: the disk is full\n');
});

const events: readonly SequenceEvent[] = [
  { kind: 'sequence-started', name: 'Drain \u001b[2Jit', from: 2, runs: [view(1), view(2), view(3)] },
  {
    kind: 'sequence-run-checked',
    number: 2,
    title: 'Move 2',
    check: {
      findings: [{ code: 'TOOLS_MISSING', host: 'root@b', message: 'no criu', remedy: 'Install it.' }],
      allowed: [],
      exitCode: 4,
    },
  },
  { kind: 'sequence-run-started', number: 2, title: 'Move \u001b[2J2' },
  { kind: 'sequence-finished', summary: stopped },
];

function report(kind: ReporterKind): string {
  let written = '';
  const stream = { write: (piece: string) => (written += piece) };
  const onEvent = createSequenceReporter({
    ...{ kind, stream, errorStream: stream, color: false },
    date: () => new Date(0),
  });
  for (const event of events) onEvent(event);
  return written;
}

test('for people: what is checked, and headings over the reports of the runs', () => {
  expect(report('plain')).toMatch(
    /^Drain it: 2 runs are checked before anything is touched\.\n\nrun 2 of 3: Move 2\nPreflight would refuse [^]*host: root@b {2}no criu\n[^]*\n\nrun 2 of 3: Move 2\n\nDrain it: stopped at run 2 of 3\./,
  );
  expect(report('tree')).toBe(report('plain'));
});

test('for programs: lines of JSON, as they are', () => {
  const lines = report('json').trim().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toEqual(
    events.map((event) => ({ at: '1970-01-01T00:00:00.000Z', ...event })),
  );
});
