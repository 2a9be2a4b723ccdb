import { FlowError } from '../errors/flow-error.ts';
import type { Compression, CompressionReport } from '../events/event.ts';
import { isPostCopied, strategiesOf } from '../plan/plan.ts';
import { measureCompressions } from './measure-way.ts';
import type { StepContext } from './step.ts';

/** Milliseconds. Of a link that takes no longer for as many zeros as there is memory, no compression saves what rsync takes to end. */
const FAST_MS = 250;

/** Of two that are about as fast the simpler one is taken. */
const WORTH = 1.1;

/**
 * Measures with samples of the workload's own memory how it reaches the destination the fastest: whether the link or the compressor is
 * slower depends on all of them. What cannot be measured is compressed with lz4, which costs little.
 * @param warmUpMs milliseconds that as many zeros took as there is memory, 64 MiB at most
 * @throws FlowError HOST_UNREACHABLE, INTERRUPTED, SUPERSEDED
 */
export async function chooseCompression(context: StepContext, warmUpMs: number): Promise<CompressionReport> {
  const { plan, detail } = context;
  const movesMemory = strategiesOf(plan).some((strategy) => strategy !== 'post-copy');
  if (!movesMemory || isPostCopied(plan) || warmUpMs <= FAST_MS)
    return { chosen: 'none', bytesPerSecond: {} };
  detail('measure which compression is the fastest for this memory on this link');
  try {
    const bytesPerSecond = await measureCompressions(context);
    return { chosen: fastestOf(bytesPerSecond), bytesPerSecond };
  } catch (error) {
    if (!(error instanceof FlowError) || GRAVE.has(error.code)) throw error;
    const unmeasured = [error.message, ...(error.evidence === undefined ? [] : [error.evidence])].join(': ');
    return { chosen: 'lz4', bytesPerSecond: {}, unmeasured };
  }
}

/** What is no matter of measuring. */
const GRAVE: ReadonlySet<string> = new Set(['INTERRUPTED', 'SUPERSEDED', 'HOST_UNREACHABLE']);

/** The simplest of those that are about the fastest. */
function fastestOf(rates: Readonly<Partial<Record<Compression, number>>>): Compression {
  const inOrder: readonly Compression[] = ['none', 'lz4', 'zstd'];
  const most = Math.max(...Object.values(rates));
  return inOrder.find((compression) => (rates[compression] ?? 0) * WORTH >= most) ?? 'none';
}
