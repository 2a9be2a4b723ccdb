import { setTimeout as sleep } from 'node:timers/promises';
import { CriuHold } from '../criu/hold.ts';
import {
  endLazyPages,
  endWorkload,
  type Fetch,
  giveUpFetch,
  lookAtFetch,
  untilFetched,
} from '../criu/lazy-pages.ts';
import { FlowError } from '../errors/flow-error.ts';
import { commandOn } from '../host/command-on.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import { ADDRESS_REMOVE_SCRIPT } from '../network/address-script.ts';
import { FENCE_SCRIPT } from '../network/fence.ts';
import { PORT_FENCE_DOWN_SCRIPT, portFence, portFenceTable } from '../network/port-fence.ts';
import { isPostCopied } from '../plan/plan.ts';
import { followFetch } from '../transfer/follow.ts';
import { closeMemoryPath, openMemoryPath } from '../transfer/one-run-key.ts';
import { readAlive } from '../workload/alive.ts';
import { survivors } from '../workload/identity.ts';
import { dumpHold, restoreHold } from './criu-options.ts';
import { memoryBytesOf, type StepContext, type StepType } from './step.ts';

/**
 * Fetch the memory that the workload has not asked for yet, while it runs on the destination; then end the copy on the source, which was
 * frozen until then and has it. Nothing can be taken back: the copy on the source is as it was when it was frozen.
 *
 * What is left on the hosts stays there until all has come: it is the way by which it comes.
 * @see criu(8), lazy-pages
 */
export const postCopy: StepType = {
  timeoutMs: 24 * 3_600_000,
  main: {
    async run(context) {
      const { destination, signal, state } = context;
      context.detail('fetch the rest of the memory');
      const watch = new AbortController();
      const totalBytes = memoryBytesOf(state);
      void followFetch(
        destination,
        (state.workload?.processes ?? []).map(({ pid }) => pid),
        {
          totalBytes,
          onProgress: (progress) => context.progress(progress, totalBytes),
          signal: AbortSignal.any([signal, watch.signal]),
        },
      );
      void giveUpWithSource(context, AbortSignal.any([signal, watch.signal]));
      const fetch = await untilHeard(context).finally(() => watch.abort());
      await requireWhole(context, fetch);
      // Of a run that is taken up nobody knows when it was released.
      if (state.frozenAtMs !== undefined && state.releasedAtMs !== undefined)
        state.fetchMs = performance.now() - state.releasedAtMs;
      await state.sourceHold?.endServed();
      return undefined;
    },
  },
  cleanUps: [
    { on: 'destination', run: cleanUpDestination },
    { on: 'source', run: cleanUpSource },
  ],
};

/** Opens the way by which the memory will be fetched, if it is to be; to root only. */
export async function openMemoryWay(context: StepContext): Promise<void> {
  const { plan, source, destination, attemptId, runDirectory, state } = context;
  const { pageServerPort: port } = state;
  if (!isPostCopied(plan) || port === undefined) return;
  const stdin = portFence(attemptId, port).text;
  for (const host of [source, destination])
    await mustRunScript(host, FENCE_SCRIPT, [], { what: 'Keeping others from the memory', stdin });
  await openMemoryPath(source, destination, { runDirectory, port });
}

/** Milliseconds after which a host that cannot be reached is asked again. */
const RETRY_MS = 1_000;

/** Milliseconds for which a destination is asked that cannot be reached. */
const RECONNECT_MS = 60_000;

async function untilHeard({ destination, runDirectory, signal }: StepContext): Promise<Fetch> {
  let lostAtMs: number | undefined;
  for (;;) {
    const beganAtMs = performance.now();
    try {
      return await untilFetched(destination, restoreHold(runDirectory), signal);
    } catch (error) {
      const isLost = error instanceof FlowError && error.code === 'HOST_UNREACHABLE';
      if (performance.now() - beganAtMs > RECONNECT_MS) lostAtMs = undefined;
      lostAtMs ??= performance.now();
      if (!isLost || performance.now() - lostAtMs > RECONNECT_MS) throw error;
      await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** Milliseconds that the destination has to notice that nobody serves the memory any more. */
const NOTICE_MS = 10_000;

/**
 * Watches the source while its memory is fetched. When nobody serves it there any more, it can never come, and TCP may notice that hours later:
 * the workload, which waits for it, is ended. A source that cannot be reached may be reached by the destination.
 */
async function giveUpWithSource(context: StepContext, signal: AbortSignal): Promise<void> {
  const { source, destination, state, runDirectory, warn } = context;
  const { sourceHold } = state;
  if (!sourceHold) return;
  let hasWarned = false;
  while (!signal.aborted) {
    try {
      const end = await sourceHold.untilServed(signal);
      if (end === 'cleaned') return;
      if (end === 'ended') await sleep(NOTICE_MS, undefined, { signal });
      await giveUpFetch(destination, restoreHold(runDirectory));
      return;
    } catch {
      if (signal.aborted) return;
      if (!hasWarned) {
        warn(
          `${source.name} cannot be reached: the workload on ${destination.name} may wait for its memory until it can.`,
        );
        hasWarned = true;
      }
      await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}

/**
 * The copy on the source may be ended only when the other one has all of its memory, and runs: criu ends as well when that has died.
 * @throws FlowError MEMORY_LOST, WORKLOAD_LOST, HOLD_LOST
 */
async function requireWhole(context: StepContext, fetch: Fetch): Promise<void> {
  const { destination, state, runDirectory } = context;
  if (fetch === 'unwatched') {
    throw new FlowError('HOLD_LOST', `The guard of criu lazy-pages on ${destination.name} was killed`, {
      host: destination.name,
      hint: 'Whether all of the memory has come cannot be told any more. Nothing was cleaned up. The command ends the workload there; then resume the run, which says how it goes on from the source.',
      command: commandOn(destination, ['sh', `${restoreHold(runDirectory)}/end-workload`]),
    });
  }
  const { destinationHold, workload } = state;
  // An earlier attempt had seen it there, and ended the copy on the source, before it cleaned up.
  if (fetch === 'cleaned' && workload && (await isNothingLeft(context))) {
    const { alive } = await readAlive(destination, [workload.rootPid]);
    if (alive.length > 0) return;
  }
  const isThere =
    fetch === 'fetched' &&
    workload !== undefined &&
    (await destinationHold?.findRestored(workload.rootPid)) !== 'gone';
  if (!isThere) throw await memoryLost(context);
}

/**
 * Why the workload has ended on the destination, and how it goes on: from the source, if that has it. Takes the service address off the
 * destination, which would answer for it. After that has failed nothing else does so, but a person sees it.
 */
export async function memoryLost(context: StepContext): Promise<FlowError> {
  const { source, destination, state, runDirectory, plan } = context;
  const host = destination.name;
  const process = `Process ${state.workload?.rootPid}`;
  // Children may have outlived it.
  await endWorkload(destination, restoreHold(runDirectory)).catch(() => undefined);
  const { address } = plan.network;
  if (address) {
    await mustRunScript(destination, ADDRESS_REMOVE_SCRIPT, [address.cidr, address.device], {
      what: 'Taking the address off the destination',
    }).catch(() => undefined);
  }
  const isGone = await isNothingLeft(context).catch(() => undefined);
  if (isGone === true) {
    return new FlowError('WORKLOAD_LOST', `${process} moved to ${host}, and has ended there`, {
      host,
      hint: `Its copy on ${source.name} has ended, too, and there are no images of it: start it as it is started otherwise. Then resume the run, which cleans up.`,
    });
  }
  const copy =
    isGone === undefined
      ? `${source.name} cannot be asked; if it was not started again, the copy there`
      : `Its copy on ${source.name}`;
  const message = `${process} has ended on ${host}, while its memory was fetched from ${source.name} or before that was told`;
  return new FlowError('MEMORY_LOST', message, {
    host,
    hint: `Nothing was cleaned up. ${copy} is stopped, as it was when it was frozen. The command lets it run on from there; what it did on ${host} since is lost. Then roll the run back.`,
    command: CriuHold.of(source, dumpHold(runDirectory)).restoreCommand,
  });
}

/** Whether the source has nothing of the workload any more. @throws FlowError when it cannot be asked */
export async function isNothingLeft({ source, state }: StepContext): Promise<boolean> {
  const { workload, frozenTasks = workload?.processes ?? [] } = state;
  return (await survivors(source, frozenTasks)).length === 0;
}

async function cleanUpDestination(context: StepContext): Promise<void> {
  const { destination, runDirectory, state } = context;
  if (state.committed) await requireOver(context, destination);
  else await endLazyPages(destination, restoreHold(runDirectory));
  await lowerPortFence(destination, context);
}

async function cleanUpSource(context: StepContext): Promise<void> {
  const { source, runDirectory, state } = context;
  if (state.committed) await requireOver(context, source);
  await closeMemoryPath(source, runDirectory);
  await lowerPortFence(source, context);
}

/**
 * Nothing is taken down as long as memory may be fetched by it, or the source has the only copy.
 * @param on whose part of the way is to be taken down
 * @throws FlowError CLEAN_UP_FAILED
 */
async function requireOver(context: StepContext, on: Host): Promise<void> {
  const { source, destination, runDirectory, state } = context;
  const fail = (message: string, hint: string, command?: string): FlowError =>
    new FlowError('CLEAN_UP_FAILED', message, {
      host: on.name,
      hint,
      ...(command === undefined ? {} : { command }),
    });
  try {
    const fetch = await lookAtFetch(destination, restoreHold(runDirectory)).catch(async (error: unknown) => {
      if (await isNothingLeft(context)) return undefined;
      throw error;
    });
    if (fetch === 'fetching') {
      throw fail(
        `The workload still fetches memory from ${source.name}`,
        `It runs on ${destination.name}, and would be lost if its copy on ${source.name} ended, which is frozen.`,
      );
    }
    if (fetch === undefined || (await isNothingLeft(context))) return;
    await requireWhole(context, fetch);
    await state.sourceHold?.endServed();
  } catch (error) {
    if (!(error instanceof FlowError) || error.code === 'CLEAN_UP_FAILED' || error.code === 'SUPERSEDED')
      throw error;
    // It may be the other host that said so: this one keeps what it has, and its lock.
    const { message, hint = '', command } = error;
    throw fail(message, hint, command);
  }
}

async function lowerPortFence(host: Host, { attemptId }: StepContext): Promise<void> {
  await mustRunScript(host, PORT_FENCE_DOWN_SCRIPT, [portFenceTable(attemptId)], {
    what: 'Letting others to the port',
  });
}
