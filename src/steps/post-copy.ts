import { setTimeout as sleep } from 'node:timers/promises';
import { CriuHold } from '../criu/hold.ts';
import { endLazyPages, giveUpFetch, lookAtFetch, untilFetched } from '../criu/lazy-pages.ts';
import { FlowError } from '../errors/flow-error.ts';
import { commandOn } from '../host/command-on.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import { FENCE_SCRIPT } from '../network/fence.ts';
import { PORT_FENCE_DOWN_SCRIPT, portFence, portFenceTable } from '../network/port-fence.ts';
import { isPostCopied } from '../plan/plan.ts';
import { closeMemoryPath, openMemoryPath } from '../transfer/one-run-key.ts';
import { survivors } from '../workload/identity.ts';
import { dumpHold, restoreHold } from './criu-options.ts';
import type { StepContext, StepType } from './step.ts';

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
      const { destination, runDirectory, signal, state } = context;
      context.detail('fetch the rest of the memory');
      const watch = new AbortController();
      void giveUpWithSource(context, AbortSignal.any([signal, watch.signal]));
      const fetch = await untilFetched(destination, restoreHold(runDirectory), signal).finally(() =>
        watch.abort(),
      );
      if (fetch === 'unwatched') throw unwatched(context);
      if (fetch !== 'fetched') throw await memoryLost(context);
      if (state.releasedAtMs !== undefined) state.fetchMs = performance.now() - state.releasedAtMs;
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

/** Milliseconds after which a source that cannot be reached is asked again. */
const RETRY_MS = 1_000;

/**
 * Watches the source while its memory is fetched. When it was started again, that can never come, and TCP would notice it a quarter of an
 * hour later: the workload, which waits for it, is ended. A source that cannot be reached may be reached by the destination.
 */
async function giveUpWithSource(context: StepContext, signal: AbortSignal): Promise<void> {
  const { source, destination, state, runDirectory, warn } = context;
  const { sourceHold } = state;
  if (!sourceHold) return;
  let hasWarned = false;
  while (!signal.aborted) {
    try {
      if ((await sourceHold.untilServed(signal)) === 'gone')
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

/** The workload was ended on the destination, or ended there, before all of its memory had come; the source has it as it was. */
export async function memoryLost(context: StepContext): Promise<FlowError> {
  const { source, destination, state, runDirectory } = context;
  const host = destination.name;
  const message = `The memory of process ${state.workload?.rootPid} could not be fetched from ${source.name}, and its copy on ${host} was ended`;
  if (await isNothingLeft(context).catch(() => false)) {
    return new FlowError('WORKLOAD_LOST', message, {
      host,
      hint: `Its copy on ${source.name} has ended, too, and there are no images of it: start it as it is started otherwise. Then resume the run, which cleans up.`,
    });
  }
  return new FlowError('WORKLOAD_LOST', message, {
    host,
    hint: `Nothing was cleaned up: its copy on ${source.name} is stopped, as it was when it was frozen. The command lets it run on from there; what it did on ${host} since is lost. Then roll the run back.`,
    command: CriuHold.of(source, dumpHold(runDirectory)).restoreCommand,
  });
}

/** Whether the source has nothing of the workload any more. */
export async function isNothingLeft({ source, state }: StepContext): Promise<boolean> {
  const { workload, frozenTasks = workload?.processes ?? [] } = state;
  return (await survivors(source, frozenTasks)).length === 0;
}

/** Both of criu's processes work on without the guard; only when the one on the destination fails is there nobody to end the workload. */
function unwatched({ destination, runDirectory }: StepContext): FlowError {
  return new FlowError('HOLD_LOST', `The guard of criu lazy-pages on ${destination.name} was killed`, {
    host: destination.name,
    hint: `Nothing was cleaned up. When the command says that nothing is left to fetch, note that by: echo yes > ${restoreHold(runDirectory)}/fetched. Then resume the run.`,
    command: commandOn(destination, ['tail', '-n', '3', `${restoreHold(runDirectory)}/lazy-pages.log`]),
  });
}

async function cleanUpDestination(context: StepContext): Promise<void> {
  const { destination, runDirectory, state } = context;
  if (state.committed) await requireFetched(context, destination);
  else await endLazyPages(destination, restoreHold(runDirectory));
  await lowerPortFence(destination, context);
}

async function cleanUpSource(context: StepContext): Promise<void> {
  const { source, state, runDirectory } = context;
  if (state.committed) {
    await requireFetched(context, source);
    await state.sourceHold?.endServed();
  }
  await closeMemoryPath(source, runDirectory);
  await lowerPortFence(source, context);
}

/** @param on whose part of the way is to be taken down */
async function requireFetched(context: StepContext, on: Host): Promise<void> {
  const { source, destination, runDirectory } = context;
  const fetch = await lookAtFetch(destination, restoreHold(runDirectory));
  if (fetch === 'fetched' || (fetch === 'ended' && (await isNothingLeft(context)))) return;
  throw new FlowError('CLEAN_UP_FAILED', `Memory of the workload is still fetched from ${source.name}`, {
    host: on.name,
    hint: 'It runs on the destination, and would be lost without it.',
  });
}

async function lowerPortFence(host: Host, { attemptId }: StepContext): Promise<void> {
  await mustRunScript(host, PORT_FENCE_DOWN_SCRIPT, [portFenceTable(attemptId)], {
    what: 'Letting others to the port',
  });
}
