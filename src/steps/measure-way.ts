import { FlowError } from '../errors/flow-error.ts';
import { mustRunScript } from '../host/shell.ts';
import { writeMemorySample } from '../workload/memory-sample.ts';
import { imagesDirectory, type StepContext } from './step.ts';

/** Directories in that of the images. */
const PROBES = ['probe-1', 'probe-2'] as const;

/** What carries the images takes a moment to begin, whatever it carries: this is carried to know that, and then so much more. */
const LEAST_BYTES = 4096;
const MOST_BYTES = 64 * 1024 ** 2;

/** Milliseconds after which it is clear enough. */
const LONGEST_MS = 4_000;

const MAKE_SCRIPT = 'umask 077; for directory; do mkdir "$directory" || exit 1; done';
const REMOVE_SCRIPT = 'rm -rf -- "$@"';
/** On a shared file system, what was written is on its way until it is synced. Argument: the file. */
const SYNC_SCRIPT = 'sync "$1"';
/** Argument: the file. */
const READ_SCRIPT = 'exec cat "$1" > /dev/null';

/**
 * Carries a sample of the workload's own memory as its images will be, while it runs: link, cipher and compression together. Leaves nothing.
 * @returns bytes of memory in a second
 * @throws FlowError TRANSFER_FAILED, INTERRUPTED
 */
export async function measureBytesPerSecond(context: StepContext): Promise<number> {
  const { source, destination } = context;
  const places = PROBES.map((name) => `${imagesDirectory(context)}/${name}`);
  const what = 'Measuring the way of the images';
  await mustRunScript(source, MAKE_SCRIPT, places, { what });
  try {
    const first = await carrySample(context, PROBES[0], LEAST_BYTES);
    const second = await carrySample(context, PROBES[1], MOST_BYTES);
    const ms = Math.max(1, second.ms - first.ms);
    return (1000 * Math.max(second.bytes, LEAST_BYTES)) / ms;
  } finally {
    for (const host of [source, destination]) await mustRunScript(host, REMOVE_SCRIPT, places, { what });
  }
}

async function carrySample(
  context: StepContext,
  name: string,
  mostBytes: number,
): Promise<{ readonly bytes: number; readonly ms: number }> {
  const { source, destination, state, signal } = context;
  const file = `${imagesDirectory(context)}/${name}/sample`;
  const pids = (state.workload?.processes ?? []).map(({ pid }) => pid);
  const beganWritingAt = performance.now();
  const sizeBytes = await writeMemorySample(source, pids, { file, mostBytes, signal });
  if (!state.carryProbe) {
    // The destination sees it anyway, once it was written: both are part of the way.
    const what = 'Measuring the shared directory';
    await mustRunScript(source, SYNC_SCRIPT, [file], { what, signal });
    await mustRunScript(destination, READ_SCRIPT, [file], { what, signal });
    return { bytes: sizeBytes, ms: performance.now() - beganWritingAt };
  }
  const enough = AbortSignal.timeout(LONGEST_MS);
  const beganAt = performance.now();
  let doneBytes = 0;
  try {
    await state.carryProbe(name, {
      sizeBytes,
      signal: AbortSignal.any([signal, enough]),
      onProgress: (progress) => {
        ({ doneBytes } = progress);
      },
    });
    doneBytes = sizeBytes;
  } catch (error) {
    const isEnough = enough.aborted && !signal.aborted && error instanceof FlowError;
    if (!isEnough || error.code !== 'INTERRUPTED') throw error;
  }
  return { bytes: doneBytes, ms: performance.now() - beganAt };
}
