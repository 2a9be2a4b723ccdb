import { expect, test } from 'vitest';
import { createThrottle } from '../../src/report/throttle.ts';

test('lets one through in an interval, for each key', () => {
  let nowMs = 0;
  const throttle = createThrottle(200, () => nowMs);
  const at = (timeMs: number, key: string): boolean => {
    nowMs = timeMs;
    return throttle.take(key);
  };
  expect([at(0, 'a'), at(0, 'b'), at(199, 'a'), at(200, 'a'), at(399, 'a'), at(399, 'b')]).toEqual([
    true,
    true,
    false,
    true,
    false,
    true,
  ]);
});

test('a key that is restarted waits for a whole interval', () => {
  let nowMs = 1000;
  const throttle = createThrottle(200, () => nowMs);
  throttle.restart('a');
  expect(throttle.take('a')).toBe(false);
  nowMs = 1200;
  expect(throttle.take('a')).toBe(true);
});
