import { expect, test, vi } from 'vitest';
import { FlowError } from '../../src/errors/flow-error.ts';
import type { Compression } from '../../src/events/event.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { chooseCompression } from '../../src/steps/choose-compression.ts';
import { measureCompressions } from '../../src/steps/measure-way.ts';
import type { StepContext } from '../../src/steps/step.ts';

vi.mock('../../src/steps/measure-way.ts', () => ({ measureCompressions: vi.fn() }));

type Rates = Record<Compression, number>;

function contextOf(steps: readonly object[] = []): StepContext {
  const plan = { steps } as unknown as Plan;
  return { plan, detail: () => undefined } as unknown as StepContext;
}

test.each<[Rates, Compression]>([
  [{ none: 100, lz4: 100, zstd: 100 }, 'none'],
  [{ none: 95, lz4: 100, zstd: 104 }, 'none'],
  [{ none: 50, lz4: 100, zstd: 105 }, 'lz4'],
  [{ none: 10, lz4: 20, zstd: 40 }, 'zstd'],
])('of those that are about the fastest, %j, the simplest is taken: %s', async (rates, chosen) => {
  vi.mocked(measureCompressions).mockResolvedValueOnce(rates);
  expect(await chooseCompression(contextOf(), 1000)).toEqual({ chosen, bytesPerSecond: rates });
});

test.each<[string, number, readonly object[], Compression]>([
  ['the link is fast', 100, [], 'none'],
  ['most of the memory is fetched after the pause', 2000, [{ uses: 'post-copy' }], 'lz4'],
])('nothing is measured where %s', async (why, warmUpMs, steps, chosen) => {
  vi.mocked(measureCompressions).mockClear();
  expect(await chooseCompression(contextOf(steps), warmUpMs)).toEqual({
    ...{ chosen, bytesPerSecond: {} },
    unmeasured: why,
  });
  expect(measureCompressions).not.toHaveBeenCalled();
});

test('rounds before the pause are compressed, too, where the rest is fetched after it', async () => {
  vi.mocked(measureCompressions).mockResolvedValueOnce({ none: 1, lz4: 2 });
  const hybrid = contextOf([{ uses: 'pre-copy' }, { uses: 'post-copy' }]);
  expect(await chooseCompression(hybrid, Infinity)).toMatchObject({ chosen: 'lz4' });
});

test('what cannot be measured is told, and is no reason not to move', async () => {
  const failure = new FlowError('COMMAND_FAILED', 'perl is missing', { evidence: 'not found' });
  vi.mocked(measureCompressions).mockRejectedValueOnce(failure);
  expect(await chooseCompression(contextOf(), 1000)).toEqual({
    chosen: 'lz4',
    bytesPerSecond: {},
    unmeasured: 'perl is missing: not found',
  });
  vi.mocked(measureCompressions).mockRejectedValueOnce(new FlowError('INTERRUPTED', 'stopped'));
  await expect(chooseCompression(contextOf(), 1000)).rejects.toMatchObject({ code: 'INTERRUPTED' });
});
