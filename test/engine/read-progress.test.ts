import { expect, test } from 'vitest';
import { readProgress } from '../../src/engine/read-progress.ts';
import type { JournalRecord } from '../../src/store/journal-format.ts';

type Fields = Readonly<Record<string, unknown>>;
const records = (...all: readonly (Fields & { readonly kind: string })[]): JournalRecord[] =>
  all.map((record, index) => ({ sequence: index + 1, at: '', ...record }));
const run = (epoch: number) => ({ kind: 'attempt', goal: 'run', epoch });
const rollback = (epoch: number) => ({ kind: 'attempt', goal: 'rollback', epoch });
const began = (stepId: string) => ({ kind: 'step-started', stepId });
const ended = (stepId: string, status = 'done') => ({ kind: 'step-finished', stepId, result: { status } });
const undone = (action: string, failure?: Fields) => ({
  kind: 'undo-finished',
  undoId: action,
  action,
  failure,
});

test('a journal without an attempt says nothing', () => {
  expect(readProgress([])).toEqual({
    epoch: 0,
    movedInEpoch: 1,
    workload: undefined,
    boots: undefined,
    began: new Set(),
    ended: new Set(),
    finished: new Set(),
    results: new Map(),
    undone: new Set(),
    sourceHasEnded: false,
    moved: undefined,
    outcome: undefined,
  });
});

test('what began counts until it is begun anew; what failed is not finished', () => {
  const progress = readProgress(
    records(run(1), began('a'), ended('a'), began('b'), ended('b', 'failed'), { kind: 'unknown' }),
  );
  expect(progress).toMatchObject({ epoch: 1, began: new Set(['a', 'b']), finished: new Set(['a']) });
});

test('a rollback that was cut off leaves what it had undone, and what it had not', () => {
  const cut = [run(1), began('a'), rollback(2), undone('one'), undone('two', { code: 'X' })] as const;
  expect(readProgress(records(...cut))).toMatchObject({
    epoch: 2,
    movedInEpoch: 1,
    began: new Set(['a']),
    undone: new Set(['one']),
  });
  expect(readProgress(records(...cut, run(3)))).toMatchObject({
    epoch: 3,
    movedInEpoch: 3,
    began: new Set(),
    undone: new Set(),
  });
});

test('the end of an attempt is its own, not the next one’s', () => {
  const over = [run(1), { kind: 'run-finished', summary: { outcome: 'rollback-incomplete' } }] as const;
  expect(readProgress(records(...over)).outcome).toBe('rollback-incomplete');
  expect(readProgress(records(...over, rollback(2))).outcome).toBeUndefined();
});

test('the boots of the hosts are those of the attempt that began the move', () => {
  const boots = (source: string) => ({ kind: 'boots', source, destination: 'd' });
  const first = [run(1), boots('one'), rollback(2), boots('two')] as const;
  expect(readProgress(records(...first)).boots).toEqual({ source: 'one', destination: 'd' });
  expect(readProgress(records(...first, run(3))).boots).toBeUndefined();
  expect(readProgress(records(...first, run(3), boots('three'))).boots?.source).toBe('three');
});

test('the release tells that the source’s copy has ended, and what was seen alive is known again; a new move knows neither', () => {
  const moved = { pid: 7, startTicks: 99, boot: 'b 1' };
  const moves = [run(1), { kind: 'phase-started', phase: 'release' }, { kind: 'moved', ...moved }] as const;
  expect(readProgress(records(...moves))).toMatchObject({ sourceHasEnded: true, moved });
  expect(readProgress(records(...moves, rollback(2)))).toMatchObject({ sourceHasEnded: true, moved });
  expect(readProgress(records(...moves, run(2)))).toMatchObject({ sourceHasEnded: false, moved: undefined });
});
