import { describe, expect, test } from 'vitest';
import type { FlowEvent, RunSummary } from '../../src/events/event.ts';
import { chooseReporter, createReporter } from '../../src/report/create-reporter.ts';
import type { ReporterKind } from '../../src/report/reporter.ts';

const summary: RunSummary = {
  runId: '20261123-101112-abcd',
  outcome: 'done',
  exitCode: 0,
  workloadIsOn: 'destination',
  workload: { pid: 4711, command: 'video-server --port 80', processes: 2 },
  source: 'root@a',
  destination: 'root@b',
  imageBytes: 70_336_235,
  downtimeMs: 431.2,
  downtimeObjectiveMs: 2000,
  phasesMs: { prepare: 812.4, freeze: 71.6, transfer: 230, restore: 110, commit: 25, release: 40 },
  durationMs: 1932,
  undoFailures: [],
  warnings: [],
  runDirectory: '/root/.local/state/criu-flow/runs/20261123-101112-abcd',
};

const start: readonly FlowEvent[] = [
  {
    kind: 'run-started',
    runId: summary.runId,
    recipe: 'Move it',
    source: 'root@a',
    destination: 'root@b',
    steps: [
      { id: '1-preflight', uses: 'preflight', title: 'Check both hosts' },
      { id: '2-transfer', uses: 'transfer/rsync', title: 'Transfer the images' },
    ],
  },
  { kind: 'step-started', stepId: '1-preflight' },
  { kind: 'step-finished', stepId: '1-preflight', durationMs: 12, result: { status: 'done', text: 'fine' } },
  { kind: 'phase-started', phase: 'transfer' },
  { kind: 'step-started', stepId: '2-transfer' },
  {
    kind: 'step-progress',
    stepId: '2-transfer',
    doneBytes: 35_168_117,
    totalBytes: 70_336_235,
    bytesPerSecond: 190_480_000,
    remainingMs: 1000,
  },
];
const failure = {
  code: 'RESTORE_FAILED',
  message: 'criu restore on root@b ended with exit code 1',
  host: 'root@b',
  evidence: "Error (criu/files-reg.c:2143): Can't open file srv/x on restore: No such file or directory",
  hint: 'Add /srv/x to `files:`.',
  command: 'ls -l /srv',
} as const;

/** Streams of events, and the summaries with which they end. */
const runs: Readonly<Record<string, readonly FlowEvent[]>> = {
  done: [
    ...start,
    { kind: 'step-finished', stepId: '2-transfer', durationMs: 230, result: { status: 'done' } },
    { kind: 'run-finished', summary },
  ],
  'rolled back': [
    ...start,
    { kind: 'step-finished', stepId: '2-transfer', durationMs: 230, result: { status: 'failed', failure } },
    { kind: 'rollback-started', reason: failure, actions: ['let the workload run on at the source'] },
    { kind: 'undo-started', action: 'let the workload run on at the source' },
    { kind: 'undo-finished', action: 'let the workload run on at the source', durationMs: 40 },
    {
      kind: 'run-finished',
      summary: { ...summary, outcome: 'rolled-back', exitCode: 5, workloadIsOn: 'source', failure },
    },
  ],
  'rollback incomplete': [
    ...start,
    {
      kind: 'run-finished',
      summary: {
        ...summary,
        outcome: 'rollback-incomplete',
        exitCode: 6,
        workloadIsOn: 'unknown',
        failure,
        undoFailures: [{ code: 'HOST_UNREACHABLE', message: 'root@a cannot be reached', host: 'root@a' }],
        warnings: ['Something is left on a host'],
      },
    },
  ],
  'refused, with hostile text': [
    {
      kind: 'run-finished',
      summary: {
        ...summary,
        outcome: 'refused',
        exitCode: 4,
        workloadIsOn: 'source',
        phasesMs: {},
        workload: { pid: 1, command: 'x\u001b[2J\nMoved: all is well\u202e', processes: 1 },
        failure: {
          code: 'PREFLIGHT_REFUSED',
          message: 'no\u0007 way\r\nerror: fake',
          hint: 'a\u001b]0;title\u0007b',
        },
      },
    },
  ],
  missed: [
    {
      kind: 'run-finished',
      summary: {
        ...summary,
        outcome: 'moved-but-missed',
        exitCode: 7,
        downtimeMs: 3200,
        failure: {
          code: 'OBJECTIVE_MISSED',
          message: 'The downtime was at most 3200 ms; the objective is 2000 ms',
        },
      },
    },
  ],
  'a bug': [
    {
      kind: 'run-finished',
      summary: {
        ...summary,
        outcome: 'rolled-back',
        exitCode: 1,
        workloadIsOn: 'source',
        failure: {
          code: 'BUG',
          message: 'x is not a function',
          stack: 'TypeError: x is not a function\n    at f (src/x.ts:1:1)',
        },
      },
    },
  ],
};

async function show(kind: ReporterKind, events: readonly FlowEvent[]): Promise<string> {
  let text = '';
  let nowMs = 0;
  const reporter = await createReporter({
    kind,
    stream: { write: (piece: string) => (text += piece) },
    isTty: false,
    color: false,
    now: () => (nowMs += 10),
    date: () => new Date('2026-11-23T10:11:12Z'),
  });
  for (const event of events) reporter.onEvent(event);
  await reporter.finish();
  return text;
}

describe.each(Object.keys(runs))('a run that ends %s', (name) => {
  const events = runs[name] ?? [];
  test('in plain lines', async () => {
    const text = (await show('plain', events)).replace(/criu-flow \d\S* \(node v\S+\)/, 'criu-flow VERSION');
    await expect(text).toMatchFileSnapshot(`snapshots/${name.replaceAll(/\W+/g, '-')}.txt`);
    // oxlint-disable-next-line no-control-regex -- control characters are what must not be there
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  });

  test('as JSON lines', async () => {
    const lines = (await show('json', events)).trimEnd().split('\n');
    expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject(
      events.map(({ kind }) => ({ kind })),
    );
  });
});

test('a person at a terminal gets the tree, a log gets lines', () => {
  const terminal = { write: () => true, isTTY: true, columns: 120 };
  expect(chooseReporter({}, terminal)).toBe('tree');
  expect(chooseReporter({ NO_COLOR: '1' }, terminal)).toBe('plain');
  expect(chooseReporter({ CI: 'true' }, terminal)).toBe('plain');
  expect(chooseReporter({ TERM: 'dumb' }, terminal)).toBe('plain');
  expect(chooseReporter({}, { ...terminal, columns: 20 })).toBe('plain');
  expect(chooseReporter({}, { write: () => true })).toBe('plain');
});

test('a reporter that breaks is told of once, and the run goes on', async () => {
  const written: string[] = [];
  const reporter = await createReporter({
    kind: 'plain',
    stream: {
      write: (text) => {
        written.push(text);
        if (written.length === 1) throw new Error('no space left');
      },
    },
    isTty: false,
    color: false,
  });
  for (const event of start) expect(() => reporter.onEvent(event)).not.toThrow();
  await reporter.finish();
  expect(written.filter((text) => text.includes('The reporter failed, the run goes on'))).toHaveLength(1);
});
