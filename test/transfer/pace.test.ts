import { expect, test } from 'vitest';
import { Pace } from '../../src/transfer/pace.ts';

test('no more than that is sent in a second, whoever asks', async () => {
  const pace = new Pace(1_000_000);
  const beganAt = performance.now();
  await Promise.all(Array.from({ length: 6 }, () => pace.take(50_000)));
  // The last one waits for the five before it.
  expect(performance.now() - beganAt).toBeGreaterThan(245);
});

test('what was not sent in time is no credit', async () => {
  const pace = new Pace(1_000_000);
  await pace.take(1);
  await new Promise((resolve) => setTimeout(resolve, 200));
  await pace.take(100_000);
  const beganAt = performance.now();
  await pace.take(1);
  expect(performance.now() - beganAt).toBeGreaterThan(90);
});

test('without a limit nobody waits', async () => {
  const pace = new Pace();
  const beganAt = performance.now();
  await pace.take(1e12);
  await pace.take(1e12);
  expect(performance.now() - beganAt).toBeLessThan(1000);
});
