import { expect, test } from 'vitest';
import { LocalHost } from '../../src/host/local.ts';
import { clockFindings, readClock } from '../../src/preflight/clock.ts';

const host = new LocalHost();

test('this machine’s clock is its own, as far as the question and the answer can tell', async () => {
  const { leastMs, mostMs } = await readClock(host);
  expect(leastMs).toBeLessThanOrEqual(0);
  expect(mostMs).toBeGreaterThanOrEqual(0);
});

test.each([
  [{ leastMs: -10, mostMs: 2100 }, 'what may be the time of the question is no difference', undefined],
  [{ leastMs: 2001, mostMs: 2500 }, 'one that is ahead', '2.0 s ahead of that of this machine'],
  [{ leastMs: -61_500, mostMs: -61_400 }, 'one that is behind', '61.4 s behind that of this machine'],
])('%j: %s', (own, _, message) => {
  const found = clockFindings(host, own).map((each) => each.message);
  expect(found).toEqual(message === undefined ? [] : [`The clock of local is ${message}`]);
});

test('two hosts are compared with each other, not with this machine', () => {
  const ahead = { leastMs: 59_990, mostMs: 60_010 };
  expect(clockFindings(host, ahead, { name: 'a', ahead })).toEqual([]);
  expect(clockFindings(host, { leastMs: 0, mostMs: 10 }, { name: 'a', ahead })).toMatchObject([
    { message: 'The clock of local is 60.0 s behind that of a' },
  ]);
});
