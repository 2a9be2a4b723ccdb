import { expect, test } from 'vitest';
import { Journal } from '../../src/engine/journal.ts';
import type { FlowEvent, Phase } from '../../src/events/event.ts';
import type { RunDirectory } from '../../src/store/run-directory.ts';

const failure = { code: 'DUMP_FAILED', message: 'no' } as const;
const phase = (name: Phase): FlowEvent => ({ kind: 'phase-started', phase: name });
const finished = (stepId: string): FlowEvent => ({
  kind: 'step-finished',
  stepId,
  durationMs: 1,
  result: { status: 'done' },
});

/** Which of these events are on disk when they have been noted, one after the other. */
function durable(...events: readonly FlowEvent[]): readonly boolean[] {
  const noted: boolean[] = [];
  const directory = { append: (_: unknown, how: { durable: boolean }) => noted.push(how.durable) };
  const journal = new Journal(directory as unknown as RunDirectory);
  for (const event of events) journal.note(event);
  return noted;
}

test.each<FlowEvent>([
  { kind: 'step-started', stepId: 'x' },
  finished('x'),
  { kind: 'block-finished', stepId: 'x' },
  { kind: 'rollback-started', reason: failure, actions: [] },
  { kind: 'undo-started', action: 'x' },
  { kind: 'undo-finished', undoId: 'x', action: 'x', durationMs: 1 },
  { kind: 'run-finished', summary: {} as never },
])('%j is on disk when it is noted', (event) => {
  expect(durable(event)).toEqual([true]);
});

test('a warning needs no place on the disk of its own', () => {
  expect(durable({ kind: 'warning', text: 'x' })).toEqual([false]);
});

test('in the pause what came of a step goes to the disk together with the next step that begins', () => {
  expect(
    durable(
      phase('freeze'),
      finished('dump'),
      { kind: 'step-started', stepId: 'transfer' },
      phase('release'),
      finished('commit'),
    ),
  ).toEqual([true, false, true, true, true]);
  expect(
    durable(phase('freeze'), { kind: 'rollback-started', reason: failure, actions: [] }, finished('always')),
  ).toEqual([true, true, true]);
  expect(
    durable(phase('freeze'), { kind: 'undo-finished', undoId: 'x', action: 'x', durationMs: 1 }),
  ).toEqual([true, true]);
});
