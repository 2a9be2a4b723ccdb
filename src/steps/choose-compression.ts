import type { Compression, CompressionReport } from '../events/event.ts';
import { isPreCopied, strategiesOf } from '../plan/plan.ts';
import { measureCompressions } from './measure-way.ts';
import type { StepContext } from './step.ts';
import { whyNot } from './why-not.ts';

/** Milliseconds for the zeros of the warm-up. Of a link that is as fast no compression saves what rsync takes to end. */
const FAST_MS = 250;

/** Of two that are about as fast the simpler one is taken. */
const WORTH = 1.25;

/**
 * Measures with samples of the workload's own memory how it reaches the destination the fastest: whether the link or the compressor is
 * slower depends on all of them. What is not measured on a slow link is compressed with lz4, which costs little.
 * @param warmUpMs milliseconds that as many zeros took as there is memory, 64 MiB at most; infinite where they did not arrive
 * @throws FlowError HOST_UNREACHABLE, INTERRUPTED, SUPERSEDED
 */
export async function chooseCompression(context: StepContext, warmUpMs: number): Promise<CompressionReport> {
  const { plan, detail } = context;
  if (warmUpMs <= FAST_MS) return unmeasured('none', 'the link is fast');
  const isFetchedLater =
    !isPreCopied(plan) && strategiesOf(plan).every((strategy) => strategy === 'post-copy');
  if (isFetchedLater) return unmeasured('lz4', 'most of the memory is fetched after the pause');
  detail('measure which compression is the fastest for this memory on this link');
  try {
    const bytesPerSecond = await measureCompressions(context);
    return { chosen: fastestOf(bytesPerSecond), bytesPerSecond };
  } catch (error) {
    return unmeasured('lz4', whyNot(error));
  }
}

function unmeasured(chosen: Compression, why: string): CompressionReport {
  return { chosen, bytesPerSecond: {}, unmeasured: why };
}

/** The simplest of those that are about the fastest. */
function fastestOf(rates: Readonly<Partial<Record<Compression, number>>>): Compression {
  const inOrder: readonly Compression[] = ['none', 'lz4', 'zstd'];
  const most = Math.max(...Object.values(rates));
  return inOrder.find((compression) => (rates[compression] ?? 0) * WORTH >= most) ?? 'none';
}
