import type { FailureData, FlowEvent, RunSummary } from '../../src/events/event.ts';

const MiB = 1024 * 1024;

type RunName =
  | 'done'
  | 'refused'
  | 'rolled back'
  | 'interrupted'
  | 'rollback incomplete'
  | 'moved, an objective missed'
  | 'a bug'
  | 'hostile text';

const summary: RunSummary = {
  runId: '20261123-101112-abcd',
  kind: 'move',
  outcome: 'done',
  exitCode: 0,
  workloadIsOn: 'destination',
  workload: { pid: 4711, command: 'video-server --port 80', processes: 2 },
  source: 'root@a',
  destination: 'root@b',
  downtimeObjectiveMs: 2000,
  phasesMs: {},
  durationMs: 1932,
  undoFailures: [],
  warnings: ['the clocks of root@a and root@b differ by 1.4 s'],
  runDirectory: '/root/.local/state/criu-flow/runs/20261123-101112-abcd',
};

const runStarted: FlowEvent = {
  kind: 'run-started',
  runId: summary.runId,
  runKind: 'move',
  recipe: 'Move the video server',
  source: 'root@a',
  destination: 'root@b',
  steps: [
    { id: '1-preflight', uses: 'preflight', title: 'Check both hosts and the workload' },
    { id: 'prepare', uses: 'prepare', title: 'Prepare both hosts' },
    { id: '2-dump', uses: 'dump', title: 'Freeze the workload and dump it' },
    { id: '3-transfer', uses: 'transfer/rsync', title: 'Transfer the images with rsync' },
    { id: '4-restore', uses: 'restore', title: 'Restore it on the destination, held' },
    { id: '5-commit', uses: 'commit', title: 'Commit: end the copy on the source, release the destination' },
    { id: '6-verify', uses: 'verify', title: 'Check that it answers' },
    { id: 'clean-up', uses: 'clean-up', title: 'Clean up both hosts' },
  ],
};

function done(stepId: string, durationMs: number, text?: string): FlowEvent {
  return {
    kind: 'step-finished',
    stepId,
    durationMs,
    result: { status: 'done', ...(text === undefined ? {} : { text }) },
  };
}

function failed(stepId: string, durationMs: number, failure: FailureData): FlowEvent {
  return { kind: 'step-finished', stepId, durationMs, result: { status: 'failed', failure } };
}

function finished(changes: Partial<RunSummary>): FlowEvent {
  return { kind: 'run-finished', summary: { ...summary, ...changes } };
}

const untilDumped: readonly FlowEvent[] = [
  runStarted,
  { kind: 'step-started', stepId: '1-preflight' },
  { kind: 'step-detail', stepId: '1-preflight', text: 'look at the workload' },
  done('1-preflight', 148.4, '2 processes: video-server --port 80'),
  { kind: 'phase-started', phase: 'prepare' },
  { kind: 'step-started', stepId: 'prepare' },
  { kind: 'warning', text: 'the clocks of root@a and root@b differ by 1.4 s' },
  done('prepare', 686.6),
  { kind: 'step-started', stepId: '2-dump' },
  { kind: 'phase-started', phase: 'freeze' },
  done('2-dump', 71.6),
];

const whileTransferring: readonly FlowEvent[] = [
  { kind: 'step-started', stepId: '3-transfer' },
  { kind: 'phase-started', phase: 'transfer' },
  {
    kind: 'step-progress',
    stepId: '3-transfer',
    doneBytes: 2812,
    totalBytes: 64 * MiB,
    bytesPerSecond: 0,
    remainingMs: 0,
  },
  {
    kind: 'step-progress',
    stepId: '3-transfer',
    doneBytes: 31 * MiB,
    totalBytes: 64 * MiB,
    bytesPerSecond: 210 * MiB,
    remainingMs: 157,
  },
];

const untilHeld: readonly FlowEvent[] = [
  ...untilDumped,
  ...whileTransferring,
  done('3-transfer', 230),
  { kind: 'step-started', stepId: '4-restore' },
  { kind: 'phase-started', phase: 'restore' },
];

const untilReleased: readonly FlowEvent[] = [
  ...untilHeld,
  done('4-restore', 110),
  { kind: 'step-started', stepId: '5-commit' },
  { kind: 'phase-started', phase: 'commit' },
  { kind: 'phase-started', phase: 'release' },
  done('5-commit', 65),
  { kind: 'step-started', stepId: '6-verify' },
  { kind: 'phase-started', phase: 'verify' },
];

const cleanUp: readonly FlowEvent[] = [
  { kind: 'phase-started', phase: 'clean-up' },
  { kind: 'step-started', stepId: 'clean-up' },
  done('clean-up', 225.1),
];

const restoreFailed: FailureData = {
  code: 'RESTORE_FAILED',
  message: 'criu restore on root@b ended with exit code 1',
  host: 'root@b',
  evidence: "Error (criu/files-reg.c:2143): Can't open file srv/x on restore: No such file or directory",
  hint: 'Add /srv/x to `files:`.',
  command: "ssh -- root@b 'ls -l /srv'",
};

const notFit: FailureData = {
  code: 'PREFLIGHT_REFUSED',
  message: 'Preflight refused the run (2 findings): /srv/x is missing on root@b',
  host: 'root@b',
  hint: 'Add it to `files:`.\ncriu is missing (root@b). Install the package criu.',
  command: "ssh -- root@a 'ls -l /srv/x'",
};

const interrupted: FailureData = {
  code: 'INTERRUPTED',
  message: 'Interrupted by SIGINT',
  evidence: 'SIGINT',
};

const undos = [
  'remove what was restored on the destination',
  'let the workload run on at the source',
] as const;

const moved = {
  imageBytes: 64 * MiB,
  downtimeMs: 431.2,
  criuMs: { dump: 110, restore: 90 },
  phasesMs: {
    prepare: 812.4,
    freeze: 71.6,
    transfer: 230,
    restore: 110,
    commit: 25,
    release: 40,
    verify: 31,
    'clean-up': 225,
  },
} as const satisfies Partial<RunSummary>;

const notMoved = {
  imageBytes: 64 * MiB,
  phasesMs: { prepare: 812.4, freeze: 71.6, transfer: 230 },
} as const satisfies Partial<RunSummary>;

/** What runs said from beginning to end, by how they ended. */
export const recordedRuns: Readonly<Record<RunName, readonly FlowEvent[]>> = {
  done: [...untilReleased, done('6-verify', 31, '1 of 1 checks passed'), ...cleanUp, finished(moved)],

  refused: [
    runStarted,
    { kind: 'step-started', stepId: '1-preflight' },
    failed('1-preflight', 148.4, notFit),
    finished({ outcome: 'refused', exitCode: 4, workloadIsOn: 'source', warnings: [], failure: notFit }),
  ],

  'rolled back': [
    ...untilHeld,
    failed('4-restore', 110, restoreFailed),
    { kind: 'rollback-started', reason: restoreFailed, actions: undos },
    { kind: 'undo-started', action: undos[0] },
    { kind: 'undo-finished', undoId: 'u0', action: undos[0], durationMs: 21 },
    { kind: 'undo-started', action: undos[1] },
    { kind: 'undo-finished', undoId: 'u1', action: undos[1], durationMs: 74 },
    ...cleanUp,
    finished({
      outcome: 'rolled-back',
      exitCode: 5,
      workloadIsOn: 'source',
      ...notMoved,
      failure: restoreFailed,
    }),
  ],

  interrupted: [
    ...untilDumped,
    ...whileTransferring,
    failed('3-transfer', 120, interrupted),
    { kind: 'rollback-started', reason: interrupted, actions: [undos[1]] },
    { kind: 'undo-started', action: undos[1] },
    { kind: 'undo-finished', undoId: 'u1', action: undos[1], durationMs: 74 },
    ...cleanUp,
    finished({
      outcome: 'rolled-back',
      exitCode: 130,
      workloadIsOn: 'source',
      ...notMoved,
      failure: interrupted,
    }),
  ],

  'rollback incomplete': [
    ...untilHeld,
    failed('4-restore', 110, restoreFailed),
    { kind: 'rollback-started', reason: restoreFailed, actions: undos },
    { kind: 'undo-started', action: undos[0] },
    { kind: 'undo-finished', undoId: 'u0', action: undos[0], durationMs: 21 },
    { kind: 'undo-started', action: undos[1] },
    {
      kind: 'undo-finished',
      undoId: 'u1',
      action: undos[1],
      durationMs: 30_000,
      failure: { code: 'HOST_UNREACHABLE', message: 'root@a cannot be reached', host: 'root@a' },
    },
    finished({
      outcome: 'rollback-incomplete',
      exitCode: 6,
      workloadIsOn: 'unknown',
      ...notMoved,
      durationMs: 31_932,
      failure: restoreFailed,
      undoFailures: [
        {
          code: 'HOST_UNREACHABLE',
          message: 'root@a cannot be reached',
          host: 'root@a',
          evidence: 'ssh: connect to host a port 22: Connection timed out',
        },
      ],
      warnings: [...summary.warnings, 'Something is left on a host'],
      toDo: {
        look: [
          "ssh -- root@a 'ps -o pid,stat,etime,args -p 4711'",
          "ssh -- root@b 'ps -o pid,stat,etime,args -p 4711'",
          'criu-flow status 20261123-101112-abcd',
        ],
        mend: ["ssh -- root@b 'ls -l /srv'", 'criu-flow rollback 20261123-101112-abcd'],
      },
    }),
  ],

  'moved, an objective missed': [
    ...untilReleased,
    done('6-verify', 31),
    ...cleanUp,
    finished({
      outcome: 'moved-but-missed',
      exitCode: 7,
      ...moved,
      downtimeMs: 3200,
      failure: {
        code: 'OBJECTIVE_MISSED',
        message: 'The downtime was at most 3200 ms; the objective is 2000 ms',
      },
    }),
  ],

  'a bug': [
    ...untilHeld,
    failed('4-restore', 3, {
      code: 'BUG',
      message: 'x is not a function',
      stack: 'TypeError: x is not a function\n    at f (src/x.ts:1:1)',
    }),
    finished({
      outcome: 'rolled-back',
      exitCode: 1,
      workloadIsOn: 'source',
      ...notMoved,
      failure: {
        code: 'BUG',
        message: 'x is not a function',
        stack: 'TypeError: x is not a function\n    at f (src/x.ts:1:1)',
      },
    }),
  ],

  'hostile text': [
    {
      ...runStarted,
      recipe: 'Move\u001b[2Jit\nMoved: all is well',
      source: 'a\u202eb',
      steps: [{ id: '1-preflight', uses: 'preflight', title: 'Check\rboth\u001b]0;title\u0007 hosts' }],
    },
    { kind: 'step-started', stepId: '1-preflight' },
    { kind: 'step-detail', stepId: '1-preflight', text: `long ${'x'.repeat(9000)}` },
    { kind: 'step-detail', stepId: '1-preflight', text: 'two\n[  9.99s] lines\u0085\u2028three' },
    { kind: 'warning', text: '\u009b31mred\u009b0m' },
    failed('1-preflight', 5, { code: 'PREFLIGHT_REFUSED', message: 'no\u0007 way\r\nerror: fake' }),
    finished({
      outcome: 'refused',
      exitCode: 4,
      workloadIsOn: 'source',
      workload: {
        pid: 1,
        command: `x\u001b[2J\nMoved: all is well\u202e ${'y'.repeat(5000)}`,
        processes: 1,
      },
      failure: {
        code: 'PREFLIGHT_REFUSED',
        message: 'no\u0007 way\r\nerror: fake',
        evidence: Array.from({ length: 30 }, (_, line) => `line ${line}\u001b[1A\u001b[2K`).join('\n'),
        hint: 'a\u001b]0;title\u0007b',
        command: 'rm -rf \u001b[8m/ #\u001b[0m',
      },
      warnings: ['w\u0000x'],
    }),
  ],
};
