import { expect, test } from 'vitest';
import { type HoldTruth, judge, type Scene } from '../../src/engine/judge-scene.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { planWith } from '../helpers/plan.ts';

const MOVE = planWith({ source: 'a', destination: 'b' });
const POST_COPY = planWith({
  ...{ source: 'a', destination: 'b' },
  steps: [{ id: 'post-copy', uses: 'post-copy', title: 'x', rollback: [] }],
});
const REVERT: Plan = { ...MOVE, workload: { kind: 'revert', series: 's', id: 1, boot: 'x' } };
const LOCK = { runId: 'r', epoch: 1, pids: [1], controller: undefined } as never;
const UNREACHABLE = { code: 'HOST_UNREACHABLE', message: 'no answer' } as const;

const hold = (change: Partial<HoldTruth> = {}): HoldTruth => ({
  ...{ stands: 'holds', decision: 'none', isFromEarlierBoot: false, hasImages: true, areImagesUnsure: false },
  isPlaced: true,
  hasMemory: false,
  ...change,
});
const ABSENT = hold({ stands: 'absent', hasImages: false });
/** The workload runs on the source, and nothing of the run is left. */
const scene = (change: Partial<Scene>): Scene => ({
  plan: MOVE,
  directory: '/run',
  source: { host: 'a', hold: ABSENT },
  destination: { host: 'b', hold: ABSENT },
  onSource: [1],
  onDestination: { pids: [], by: 'hold' },
  command: (verb, ...more) => ['criu-flow', verb, 'r', ...more].join(' '),
  restoreCommand: 'restore by hand',
  runOnCommand: 'let it run on by hand',
  uncheckedCommand: 'say that they will do',
  sourceHasEnded: false,
  cleanUp: 'not begun',
  lostOnSource: undefined,
  kept: undefined,
  ...change,
});
const at = (hostName: string, change: Partial<HoldTruth>, isLocked = true): Scene['source'] => ({
  host: hostName,
  hold: hold(change),
  ...(isLocked && { lock: LOCK }),
});

test.each([
  ['nothing is left', {}, ['on-source']],
  [
    'a lock is left',
    { source: at('a', { stands: 'ended' }) },
    ['on-source-unfinished', 'criu-flow rollback r'],
  ],
  ['it is held', { source: at('a', {}) }, ['frozen', 'criu-flow rollback r']],
  [
    'the copy of a revert is held, which freezes nothing',
    { plan: REVERT, source: at('a', {}) },
    ['on-source-unfinished', 'criu-flow rollback r'],
  ],
  [
    'it has ended on the source, and waits',
    {
      onSource: [],
      onDestination: { pids: [1], by: 'hold' },
      source: at('a', { decision: 'commit' }),
      destination: at('b', {}),
    },
    ['between', 'criu-flow resume r'],
  ],
  [
    'its memory is fetched after the commit',
    {
      onDestination: { pids: [1], by: 'hold' },
      source: at('a', { decision: 'commit', hasMemory: true, hasImages: false }),
      destination: at('b', { decision: 'commit' }),
    },
    ['on-destination-unfinished', 'criu-flow resume r'],
  ],
  [
    'its memory is to be fetched, and it waits',
    {
      onDestination: { pids: [1], by: 'hold' },
      source: at('a', { decision: 'commit', hasMemory: true, hasImages: false }),
      destination: at('b', {}),
    },
    ['between', 'criu-flow resume r'],
  ],
  [
    'its memory was to be fetched, and it has ended',
    {
      source: at('a', { decision: 'commit', hasMemory: true, hasImages: false }),
      destination: at('b', { decision: 'commit' }),
    },
    ['nowhere', 'let it run on by hand'],
  ],
  [
    'its memory is to be fetched, and the destination cannot be asked',
    {
      onDestination: undefined,
      source: at('a', { decision: 'commit', hasMemory: true, hasImages: false }),
      destination: { host: 'b', failure: UNREACHABLE },
    },
    ['unknown', 'criu-flow status r'],
  ],
  [
    'its memory was to be fetched, and it has ended where its address may still be',
    {
      plan: {
        ...POST_COPY,
        network: { connections: 'keep', address: { cidr: '10.0.0.9/24', device: 'eth0' } },
      },
      source: at('a', { decision: 'commit', hasMemory: true, hasImages: false }),
      destination: at('b', { decision: 'commit' }),
    },
    ['nowhere', 'criu-flow resume r'],
  ],
  [
    'it was let run on by hand, and the other copy is alive',
    {
      plan: POST_COPY,
      onDestination: { pids: [1], by: 'hold' },
      source: at('a', { stands: 'ended', decision: 'abort', hasMemory: true, hasImages: false }),
      destination: at('b', { decision: 'commit' }),
    },
    ['unknown', 'criu-flow rollback r'],
  ],
  [
    'its memory is fetched from a source that cannot be asked',
    {
      plan: POST_COPY,
      onSource: undefined,
      onDestination: { pids: [1], by: 'hold' },
      source: { host: 'a', failure: UNREACHABLE },
      destination: at('b', { decision: 'commit' }),
    },
    ['on-destination-unfinished', 'criu-flow resume r'],
  ],
  [
    'its memory was fetched from a source that cannot be asked, and it has ended',
    {
      plan: POST_COPY,
      onSource: undefined,
      source: { host: 'a', failure: UNREACHABLE },
      destination: at('b', { decision: 'commit' }),
    },
    ['unknown', 'criu-flow status r'],
  ],
  [
    'it was let run on by hand',
    {
      source: at('a', { stands: 'ended', decision: 'abort', hasMemory: true, hasImages: false }),
      destination: at('b', { decision: 'commit' }),
    },
    ['on-source-unfinished', 'criu-flow rollback r'],
  ],
  [
    'it has ended on the source before the commit',
    {
      onSource: [],
      onDestination: { pids: [1], by: 'hold' },
      source: at('a', { isFromEarlierBoot: true }),
      destination: at('b', {}),
    },
    ['between', 'criu-flow rollback r'],
  ],
  [
    'the same, and the source has nothing of it any more',
    {
      onSource: [],
      onDestination: { pids: [1], by: 'hold' },
      destination: at('b', {}),
      lostOnSource: 'forgotten',
    },
    ['between', 'criu-flow resume r --source-is-gone'],
  ],
  [
    'the same, and the destination has given it up',
    { onSource: [], destination: at('b', { decision: 'abort' }), lostOnSource: 'forgotten' },
    ['nowhere', 'criu-flow resume r --source-is-gone'],
  ],
  [
    'its memory is on the destination only, and whole there',
    {
      onSource: [],
      source: at('a', { hasImages: false }),
      destination: at('b', {}),
      lostOnSource: 'imageless',
    },
    ['nowhere', 'criu-flow resume r --source-is-gone'],
  ],
  [
    'its memory was streamed, and had not all come',
    {
      onSource: [],
      source: at('a', { hasImages: false }),
      destination: at('b', { hasImages: false }),
      lostOnSource: 'imageless',
    },
    ['nowhere', 'criu-flow rollback r'],
  ],
  [
    'what a revert was to end has ended by itself',
    { plan: REVERT, onSource: [], source: at('a', { hasImages: false }), destination: at('b', {}) },
    ['nowhere', 'criu-flow resume r'],
  ],
  [
    'it runs on the destination, and a lock is left',
    { onSource: [], onDestination: { pids: [1], by: 'hold' }, destination: at('b', { decision: 'commit' }) },
    ['on-destination-unfinished', 'criu-flow resume r'],
  ],
  [
    'it has ended on the destination',
    { onSource: [], destination: at('b', { decision: 'commit' }) },
    ['nowhere', 'restore by hand'],
  ],
  [
    'it never ran on the destination, for which a person has decided',
    { onSource: [], destination: at('b', { decision: 'commit', isPlaced: false }) },
    ['nowhere', 'criu-flow resume r'],
  ],
  [
    'it runs nowhere, and the source has its images',
    { onSource: [], source: at('a', {}), destination: at('b', { hasImages: false }) },
    ['nowhere', 'criu-flow rollback r'],
  ],
  [
    'the same, and nobody knows whether they are whole',
    { onSource: [], source: at('a', { areImagesUnsure: true }), destination: at('b', { hasImages: false }) },
    ['nowhere', 'say that they will do'],
  ],
  [
    'the source cannot be asked',
    { onSource: undefined, source: { host: 'a', failure: UNREACHABLE }, destination: at('b', {}) },
    ['unknown', 'criu-flow status r'],
  ],
  [
    'it runs on the destination, which is clean, and the source cannot be asked',
    {
      onSource: undefined,
      source: { host: 'a', failure: UNREACHABLE },
      onDestination: { pids: [1], by: 'journal' },
      sourceHasEnded: true,
    },
    ['on-destination-unfinished', 'criu-flow resume r'],
  ],
  [
    'the same, and both hosts were cleaned up before',
    {
      onSource: undefined,
      source: { host: 'a', failure: UNREACHABLE },
      onDestination: { pids: [1], by: 'journal' },
      sourceHasEnded: true,
      cleanUp: 'done',
    },
    ['on-destination', undefined],
  ],
  [
    'it runs on the source, and the destination could not be cleaned up and cannot be asked',
    { onDestination: undefined, destination: { host: 'b', failure: UNREACHABLE }, cleanUp: 'unfinished' },
    ['on-source-unfinished', 'criu-flow rollback r'],
  ],
  [
    'the destination cannot be asked',
    { onSource: [], onDestination: undefined, destination: { host: 'b', failure: UNREACHABLE } },
    ['unknown', 'criu-flow status r'],
  ],
] as const)('%s', (_, change, [standing, advice]) => {
  const { standing: found, command } = judge(scene(change));
  expect([found, command]).toEqual([standing, advice]);
});
