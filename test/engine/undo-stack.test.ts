import { expect, test } from 'vitest';
import { UndoStack } from '../../src/engine/undo-stack.ts';
import { FlowError } from '../../src/errors/flow-error.ts';
import type { FlowEvent } from '../../src/events/event.ts';

const reason = { code: 'DUMP_FAILED', message: 'x' } as const;

function push(stack: UndoStack, title: string, run: () => Promise<void>, isOnce = false, id = title): void {
  stack.push({ id, title, run, isOnce });
}

test('undoes in reverse, goes on past a failure, and tells of it', async () => {
  const stack = new UndoStack();
  const events: FlowEvent[] = [];
  const ran: string[] = [];
  for (const title of ['first', 'second', 'third']) {
    push(stack, title, async () => {
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
  push(stack, 'never', () => Promise.reject(new Error('it ran')));
  stack.clear();
  expect(await stack.rollBack(() => {}, reason)).toEqual([]);
});

test('one that never ends has failed when its time is over, and the next one runs', async () => {
  const stack = new UndoStack();
  const ran: string[] = [];
  push(stack, 'quick', async () => void ran.push('quick'));
  push(stack, 'stuck', () => new Promise(() => undefined));
  const failures = await stack.rollBack(() => {}, reason, { timeoutMs: 0, leastMs: 20 });
  expect(failures).toEqual([
    { code: 'TIMEOUT', message: '“stuck” took longer than 0 s', hint: expect.any(String) },
  ]);
  expect(ran).toEqual(['quick']);
});

test('past the commit point it stops: what comes next would be done to a copy that has ended', async () => {
  const stack = new UndoStack();
  push(stack, 'start it again', () => Promise.reject(new Error('it ran')));
  push(stack, 'abort', () => Promise.reject(new FlowError('RESUME_REFUSED', 'committed')));
  expect(await stack.rollBack(() => {}, reason)).toEqual([{ code: 'RESUME_REFUSED', message: 'committed' }]);
});

test('of what an earlier rollback has done, only what must not be repeated is left out', async () => {
  const stack = new UndoStack();
  const ran: string[] = [];
  push(stack, 'ours', async () => void ran.push('ours'));
  push(stack, 'a command', async () => void ran.push('a command'), true);
  stack.forget(new Set(['a command', 'ours']));
  await stack.rollBack(() => {}, reason);
  expect(ran).toEqual(['ours']);
});

test('of two commands with the same words, the one that was done is left out', async () => {
  const stack = new UndoStack();
  const ran: string[] = [];
  for (const id of ['1 rollback 1', '2 rollback 1']) {
    push(stack, 'run systemctl on the source', async () => void ran.push(id), true, id);
  }
  stack.forget(new Set(['1 rollback 1']));
  await stack.rollBack(() => {}, reason);
  expect(ran).toEqual(['2 rollback 1']);
});
