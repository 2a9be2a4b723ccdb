import { expect, test } from 'vitest';
import { UndoStack } from '../../src/engine/undo-stack.ts';
import { FlowError } from '../../src/errors/flow-error.ts';
import type { FlowEvent } from '../../src/events/event.ts';

const reason = { code: 'DUMP_FAILED', message: 'x' } as const;

test('undoes in reverse, goes on past a failure, and tells of it', async () => {
  const stack = new UndoStack();
  const events: FlowEvent[] = [];
  const ran: string[] = [];
  for (const title of ['first', 'second', 'third']) {
    stack.push(title, async () => {
      ran.push(title);
      if (title === 'second') throw new FlowError('COMMAND_FAILED', 'no');
    });
  }
  const failures = await stack.rollBack((event) => events.push(event), reason);
  expect(ran).toEqual(['third', 'second', 'first']);
  expect(failures).toEqual([{ code: 'COMMAND_FAILED', message: 'no' }]);
  expect(events[0]).toMatchObject({ kind: 'rollback-started', actions: ['third', 'second', 'first'] });
  expect(await stack.rollBack(() => {}, reason)).toEqual([]);
});

test('after the commit there is nothing to undo', async () => {
  const stack = new UndoStack();
  stack.push('never', () => Promise.reject(new Error('it ran')));
  stack.clear();
  expect(await stack.rollBack(() => {}, reason)).toEqual([]);
});
