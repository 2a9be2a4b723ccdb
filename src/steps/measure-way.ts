import type { Compression } from '../events/event.ts';
import { FlowError } from '../errors/flow-error.ts';
import { mustRunScript } from '../host/shell.ts';
import { writeMemorySample } from '../workload/memory-sample.ts';
import { imagesDirectory, type StepContext } from './step.ts';

/** In the directory of the images. */
const PROBE = 'probe';

/** What carries the images takes a moment to begin, whatever it carries: the first of these samples is to know that. */
const LEAST_BYTES = 4096;
/** Each takes at most some eight times as long as the one before. */
const MORE_BYTES: readonly number[] = [128 * 1024, 1024 ** 2, 8 * 1024 ** 2, 64 * 1024 ** 2];
/** Milliseconds, besides that moment, of which it must be half as long at least: then it is clear enough. */
const ENOUGH_MS = 300;

const MAKE_SCRIPT = 'umask 077; mkdir "$1"';
const REMOVE_SCRIPT = 'rm -rf -- "$1"';
/** On a shared file system, what was written is on its way until it is synced. Argument: the file. */
const SYNC_SCRIPT = 'sync "$1"';
/** Argument: the file. */
const READ_SCRIPT = 'exec cat "$1" > /dev/null';

/**
 * Carries samples of the workload's own memory as its images will be, while it runs: link, cipher and compression together. They become larger
 * until one took long enough. Leaves nothing.
 * @returns bytes of memory in a second
 * @throws FlowError TRANSFER_FAILED, HOST_UNREACHABLE, INTERRUPTED
 */
export async function measureBytesPerSecond(context: StepContext): Promise<number> {
  return (await growSample(context)).bytesPerSecond;
}

/**
 * The same for each way to compress them, where that can be chosen. One that the rsync of a host does not know is left out.
 * @throws FlowError as {@link measureBytesPerSecond}
 */
export async function measureCompressions(
  context: StepContext,
): Promise<Readonly<Partial<Record<Compression, number>>>> {
  const { bytes, firstMs, bytesPerSecond } = await growSample(context, 'none');
  // What is compressed may need more of it to be told from the moment to begin.
  const sizes = MORE_BYTES.filter((each) => each >= bytes);
  const rates: Partial<Record<Compression, number>> = { none: bytesPerSecond };
  for (const compression of ['lz4', 'zstd'] as const) {
    try {
      rates[compression] = (await growFrom(context, firstMs, sizes, compression)).bytesPerSecond;
    } catch (error) {
      if (!(error instanceof FlowError) || error.code !== 'TRANSFER_FAILED') throw error;
    }
  }
  return rates;
}

interface Sample {
  readonly bytes: number;
  readonly ms: number;
}

/** @returns of the largest sample, besides the rate; and what the first one took */
async function growSample(
  context: StepContext,
  compression?: Compression,
): Promise<{ readonly bytes: number; readonly firstMs: number; readonly bytesPerSecond: number }> {
  const { ms: firstMs } = await carrySample(context, LEAST_BYTES, compression);
  return { firstMs, ...(await growFrom(context, firstMs, MORE_BYTES, compression)) };
}

async function growFrom(
  context: StepContext,
  firstMs: number,
  sizes: readonly number[],
  compression: Compression | undefined,
): Promise<{ readonly bytes: number; readonly bytesPerSecond: number }> {
  for (const mostBytes of sizes) {
    const sample = await carrySample(context, mostBytes, compression);
    const isEnough = sample.ms - firstMs >= Math.max(ENOUGH_MS, firstMs / 2);
    const isLast = sample.bytes < mostBytes || mostBytes === sizes.at(-1);
    if (isEnough || isLast) return { bytes: sample.bytes, bytesPerSecond: rate(sample, firstMs) };
  }
  throw new Error('the last sample is enough');
}

/** Where there is no more memory, most of the time may still be the moment to begin, or not. */
function rate({ bytes, ms }: Sample, firstMs: number): number {
  const moreMs = ms - firstMs;
  const isEnough = moreMs >= Math.max(ENOUGH_MS, firstMs / 2);
  return (1000 * Math.max(bytes, LEAST_BYTES)) / Math.max(1, isEnough ? moreMs : Math.max(moreMs, ms / 2));
}

async function carrySample(
  context: StepContext,
  mostBytes: number,
  compression: Compression | undefined,
): Promise<Sample> {
  const { source, destination, state, signal } = context;
  const what = 'Measuring the way of the images';
  const directory = `${imagesDirectory(context)}/${PROBE}`;
  const file = `${directory}/sample`;
  const pids = (state.workload?.processes ?? []).map(({ pid }) => pid);
  const remove = async (): Promise<void> => {
    for (const host of state.carryProbe ? [destination, source] : [source])
      await mustRunScript(host, REMOVE_SCRIPT, [directory], { what });
  };
  await mustRunScript(source, MAKE_SCRIPT, [directory], { what });
  try {
    const beganWritingAt = performance.now();
    const bytes = await writeMemorySample(source, pids, { file, mostBytes, signal });
    const beganAt = performance.now();
    if (state.carryProbe) {
      await state.carryProbe(PROBE, {
        ...{ sizeBytes: bytes, signal, onProgress: () => undefined },
        ...(compression && { compression }),
      });
    } else {
      // The destination sees it anyway, once it was written.
      await mustRunScript(source, SYNC_SCRIPT, [file], { what, signal });
      await mustRunScript(destination, READ_SCRIPT, [file], { what, signal });
    }
    // On a shared file system, writing it is part of the way.
    const ms = performance.now() - (state.carryProbe ? beganAt : beganWritingAt);
    await remove();
    return { bytes, ms };
  } catch (error) {
    // Why it could not be carried matters more.
    await remove().catch(() => undefined);
    throw error;
  }
}
