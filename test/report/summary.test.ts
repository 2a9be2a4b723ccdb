import { expect, test } from 'vitest';
import type { RunSummary } from '../../src/events/event.ts';
import { formatSummary } from '../../src/report/summary.ts';

const base: RunSummary = {
  runId: 'r',
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

const interrupted = { code: 'INTERRUPTED', message: 'Interrupted by SIGINT', evidence: 'SIGINT' } as const;
const timedOut = { code: 'TIMEOUT', message: '“Restore” took longer than 60 s' } as const;
const failed = { code: 'DUMP_FAILED', message: 'criu dump failed' } as const;

test.each<[Partial<RunSummary>, string]>([
  [{}, 'Moved: the workload runs on root@b (the destination).'],
  [
    { outcome: 'moved-but-missed' },
    'Moved, but an objective or a check was missed: the workload runs on root@b (the destination).',
  ],
  [
    { outcome: 'refused', workloadIsOn: 'source', failure: failed },
    'Refused before anything was touched: the workload runs on root@a (the source).',
  ],
  [
    { outcome: 'refused', workloadIsOn: 'unknown', failure: interrupted },
    'Interrupted before anything was touched: the workload was not seen on root@a.',
  ],
  [
    { outcome: 'rolled-back', workloadIsOn: 'source', failure: failed },
    'Failed and rolled back: the workload runs on root@a (the source).',
  ],
  [
    { outcome: 'rolled-back', workloadIsOn: 'source', failure: timedOut },
    'Timed out and rolled back: the workload runs on root@a (the source).',
  ],
  [
    { outcome: 'rolled-back', workloadIsOn: 'nowhere', failure: failed },
    'Failed and rolled back: THE WORKLOAD RUNS NEITHER on root@a NOR on root@b.',
  ],
  [
    { outcome: 'rollback-incomplete', workloadIsOn: 'unknown', failure: failed },
    'Failed, and A PERSON IS NEEDED: WHERE THE WORKLOAD RUNS IS NOT KNOWN, look at root@a and root@b.',
  ],
  [
    { outcome: 'superseded', workloadIsOn: 'unknown' },
    'Left to the controller that has taken this run up: what becomes of the workload is decided there.',
  ],
  [
    { outcome: 'locked', workloadIsOn: 'source' },
    'Not taken up, since another run has this workload or its process ids: the workload runs on root@a (the source).',
  ],
])('the first line says how it ended and where the workload is: %j', (changes, firstLine) => {
  expect(formatSummary({ ...base, ...changes }).split('\n')[0]).toBe(firstLine);
});

test('a person who is needed gets commands to paste: to look, to mend what failed, to go on', () => {
  const look = ['ps -p 4711', 'criu-flow status r'];
  const textOf = (mend: readonly string[]): string =>
    formatSummary({
      ...base,
      outcome: 'rollback-incomplete',
      workloadIsOn: 'unknown',
      failure: failed,
      toDo: { look, mend },
    });
  expect(textOf(['ip addr del x', 'criu-flow rollback r'])).toContain(`To do by hand, look first:
  ps -p 4711
  criu-flow status r
then:
  ip addr del x
  criu-flow rollback r
`);
  expect(textOf(['criu-flow rollback r'])).toContain(`
then, once what failed above is mended:
  criu-flow rollback r
`);
});

test('when another run has the workload: look at that one, then go on with this one', () => {
  const toDo = { look: ['criu-flow status other'], mend: ['criu-flow rollback r'] };
  expect(formatSummary({ ...base, outcome: 'locked', toDo })).toContain(`To look how that run stands:
  criu-flow status other
then, when it is over:
  criu-flow rollback r
`);
});

test('what failed first comes first, also when the workload was lost after that', () => {
  const text = formatSummary({
    ...base,
    outcome: 'rollback-incomplete',
    workloadIsOn: 'nowhere',
    failure: failed,
    undoFailures: [{ code: 'WORKLOAD_LOST', message: 'Process 1 has ended' }],
  });
  expect(text).toMatch(/error DUMP_FAILED: [^]*\n\nafter that: error WORKLOAD_LOST: Process 1 has ended\n/);
});

test('of a run that somebody else has taken up there is only to look', () => {
  const toDo = { look: ['criu-flow status r'], mend: [] };
  expect(formatSummary({ ...base, outcome: 'superseded', workloadIsOn: 'unknown', toDo })).toContain(
    '\n\nTo look how it stands:\n  criu-flow status r\n\n',
  );
});

test('a command line longer than a screen is cut', () => {
  const command = `java ${'-Dx=y '.repeat(1000)}`;
  const text = formatSummary({ ...base, workload: { pid: 1, command, processes: 1 } });
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThan(170);
});

test.each([
  ['objective', 2, 'the objective could be met'],
  ['no-progress', 1, 'the workload writes as fast as is copied'],
] as const)('what was copied before the pause stands beside the pause: %s', (stoppedBy, count, why) => {
  const round = { sizeBytes: 3 * 1024 ** 2, dumpMs: 100, sendMs: 200 };
  const preCopy = {
    ...{ stoppedBy, expectedDowntimeMs: 400 },
    rounds: Array.from({ length: count }, () => round),
  };
  const text = formatSummary({ ...base, preCopy, imageBytes: 1024 ** 2, downtimeMs: 431 });
  const sizes = Array.from({ length: count }, () => '3 MiB').join(', ');
  expect(text).toContain(`copied before  ${sizes}, in ${count === 1 ? '1 round' : `${count} rounds`}\n`);
  expect(text).toMatch(new RegExp(`^ +no more, since ${why}; downtime expected: 400 ms$`, 'm'));
});
