import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { PhaseClock } from '../../src/engine/phase-clock.ts';
import { abortReason, stepSignal } from '../../src/engine/step-signal.ts';
import { FlowError } from '../../src/errors/flow-error.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

test('a step’s signal is aborted when its time is over, and the reason says how long that was', () => {
  const { signal } = stepSignal(new AbortController().signal, 'Restore', 1500);
  vi.advanceTimersByTime(1499);
  expect(signal.aborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(signal.reason).toMatchObject({ code: 'TIMEOUT', message: '“Restore” took longer than 1.5 s' });
});

test('a step’s signal is aborted with the run, for the run’s reason', () => {
  const run = new AbortController();
  const { signal } = stepSignal(run.signal, 'Restore', 1500);
  const reason = new FlowError('INTERRUPTED', 'stopped');
  run.abort(reason);
  expect(signal.reason).toBe(reason);
  // However it surfaced: the reason is what a person needs to know.
  expect(abortReason(signal, new Error('rsync ended with 20'))).toBe(reason);
});

test('a step that is over is not aborted any more, and leaves no timer', () => {
  const { signal, done } = stepSignal(new AbortController().signal, 'Restore', 1500);
  done();
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(10_000);
  expect(signal.aborted).toBe(false);
  const error = new Error('its own');
  expect(abortReason(signal, error)).toBe(error);
});

test('phases add up, also one that is entered twice', () => {
  const clock = new PhaseClock();
  clock.enter('prepare');
  vi.advanceTimersByTime(100);
  clock.enter('freeze');
  vi.advanceTimersByTime(20);
  clock.enter('prepare');
  vi.advanceTimersByTime(3);
  expect(clock.finish()).toEqual({ prepare: 103, freeze: 20 });
  vi.advanceTimersByTime(1000);
  expect(clock.finish()).toEqual({ prepare: 103, freeze: 20 });
});

test('a clock that entered no phase has none', () => {
  expect(new PhaseClock().finish()).toEqual({});
});
