import { afterEach, beforeEach, expect, test } from 'vitest';
import { readAnswers, untilAnswered, writeAnswer } from '../../src/store/approvals.ts';
import type { ActingStep } from '../../src/plan/plan.ts';
import { approve } from '../../src/steps/approve.ts';
import type { StepContext } from '../../src/steps/step.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

let run: TemporaryDirectory;
beforeEach(() => {
  run = temporaryDirectory();
});
afterEach(() => run[Symbol.dispose]());

const questions: string[] = [];
const at = '2026-11-25T10:00:00.000Z';

function waits(more: object = {}, signal = new AbortController().signal): Promise<string | undefined> {
  const step = {
    ...{ id: '1-approve', uses: 'approve', title: 'Wait', rollback: [] },
    ...{ message: 'Now?', by: [], approvals: 1, expiresMs: 60_000, ...more },
  } as ActingStep;
  const context = {
    signal,
    askForApproval: (id: string) => questions.push(id),
    readAnswers: (id: string) => readAnswers(run.path, id),
    untilAnswered: (id: string, timeoutMs: number) => untilAnswered(run.path, id, timeoutMs, signal),
  } as unknown as StepContext;
  return approve.main.run(context, step);
}

function answer(by: string, isApproved = true, reason?: string): void {
  writeAnswer(run.path, '1-approve', { by, isApproved, at, ...(reason === undefined ? {} : { reason }) });
}

test('goes on when enough different people have agreed, in whatever order they come', async () => {
  const waiting = waits({ approvals: 2 });
  answer('alice');
  answer('alice');
  answer('bob');
  expect(await waiting).toBe('by alice, bob');
  expect(questions).toContain('1-approve');
});

test('ends when one of them rejects it, with the reason', async () => {
  answer('bob', false, 'the backup still runs');
  await expect(waits()).rejects.toMatchObject({
    code: 'APPROVAL_REJECTED',
    message: 'bob rejected the run',
    evidence: 'the backup still runs',
  });
});

test('counts nobody who is not asked, and nobody under the name of another', async () => {
  answer('eve');
  const forged = readAnswers(run.path, '1-approve');
  expect(forged).toHaveLength(1);
  await expect(waits({ by: ['alice'], expiresMs: 1 })).rejects.toMatchObject({
    code: 'APPROVAL_EXPIRED',
    message: '0 of 1 approvals came in time',
  });
});

test('an interruption ends the wait', async () => {
  const interrupt = new AbortController();
  const waiting = waits({}, interrupt.signal);
  interrupt.abort(new Error('stopped'));
  await expect(waiting).rejects.toThrow('stopped');
});

test('somebody who answers again has changed their mind', async () => {
  answer('alice', false);
  answer('alice');
  expect(await waits()).toBe('by alice');
});
