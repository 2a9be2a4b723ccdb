import { posix } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type CriuHold, describeEnd } from '../criu/hold.ts';
import { FlowError } from '../errors/flow-error.ts';
import { commandOn } from '../host/command-on.ts';
import { mustRunScript } from '../host/shell.ts';
import { ADDRESS_REMOVE_SCRIPT } from '../network/address-script.ts';
import { isPostCopied } from '../plan/plan.ts';
import { survivors } from '../workload/identity.ts';
import { memoryLost } from './post-copy.ts';
import type { StepContext, StepType } from './step.ts';
import { placeRefused, takePlaceForGood } from './take-place.ts';

/** Milliseconds for which a lost connection is made again: twice the lease of the source. */
const RECONNECT_MS = 60_000;
const RETRY_MS = 500;

/** Milliseconds that tasks get to be gone after they were killed: one in a system call of a slow disk ends late. */
const DEATH_MS = 2_000;

/**
 * The commit point: see that the destination's copy will wait, end the source's copy, see that it is gone, then let the destination's copy run. There is no undo:
 * before the decision the run can be rolled back, after it the workload lives on the destination.
 */
export const commit: StepType = {
  timeoutMs: 60_000,
  main: {
    async run(context) {
      context.signal.throwIfAborted();
      context.phase('commit');
      // Not when an earlier attempt has committed: then it was waived, or is too late.
      const { committed, destinationHold } = context.state;
      if (!committed && destinationHold) {
        // The places of the files: a destination that loses its power after the commit must not find what was there before.
        const places = new Set(context.plan.files.map(({ path }) => posix.dirname(path)));
        await untilHeard(() => destinationHold.waiveLease([...places]));
      }
      await endSource(context);
      context.phase('release');
      await releaseDestination(context);
      context.state.releasedAtMs = performance.now();
      return undefined;
    },
  },
};

async function endSource(context: StepContext): Promise<void> {
  const { source, state } = context;
  const { sourceHold: hold, workload, frozenTasks, committed: wasCommitted } = state;
  if (state.sourceHasEnded === true) {
    // What is let go next is the only copy: nothing is taken back from here on.
    state.committed = true;
    if (state.isSourceToRelinquish === true) await unlessGone(async () => hold?.relinquish());
    await takeAddressOffLostSource(context);
    return;
  }
  if (!hold || !workload || !state.destinationHold) throw new Error('commit: nothing is held');
  // From here on nobody may roll back, whatever we hear: the decision may have reached the source.
  state.committed = true;
  const serves = isPostCopied(context.plan);
  const { decision, end } = await untilHeard(async () =>
    // It stays frozen as long as its memory is fetched.
    serves ? { decision: await hold.commitServing(), end: undefined } : hold.decide('commit'),
  );
  // An earlier attempt has committed and cleaned the source up, though its journal does not say so.
  const isCleanedUp = decision === 'none' && wasCommitted;
  if (decision !== 'commit' && !isCleanedUp) {
    state.committed = false;
    throw new FlowError('HOLD_LOST', `The source's hold had ended before the commit`, {
      host: source.name,
      hint: 'The controller or the connection was silent for too long. The workload runs on at the source.',
    });
  }
  if (!end || (end.kind === 'exited' && end.exitCode === 0)) return;
  const deadline = performance.now() + DEATH_MS;
  const tasks = frozenTasks ?? workload.processes;
  let alive = await survivors(source, tasks);
  while (alive.length > 0 && performance.now() < deadline) {
    await delay(RETRY_MS);
    alive = await survivors(source, tasks);
  }
  if (alive.length === 0) return;
  throw new FlowError('COMMIT_FAILED', `criu on ${source.name} did not end the source's copy`, {
    host: source.name,
    evidence: `criu ${describeEnd(end)}; alive: ${alive.join(', ')}`,
    hint: "The destination's copy waits until these have ended: end them, then resume the run.",
    command: commandOn(source, ['kill', '-KILL', ...alive.map(String)]),
  });
}

/** A source that is on again may have the service address, and would answer the clients with resets. One that is not has none. */
async function takeAddressOffLostSource({ plan, source }: StepContext): Promise<void> {
  const { address } = plan.network;
  if (!address || plan.kind !== 'move') return;
  await unlessGone(async () => {
    await mustRunScript(source, ADDRESS_REMOVE_SCRIPT, [address.cidr, address.device], {
      what: 'Taking the address off the source',
    });
  });
}

/** Of a source that a person answers for. */
async function unlessGone(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof FlowError) || error.code !== 'HOST_UNREACHABLE') throw error;
  }
}

async function releaseDestination(context: StepContext): Promise<void> {
  const { destination, state } = context;
  const { destinationHold: hold, workload } = state;
  if (!hold || !workload) throw new Error('commit: nothing is held on the destination');
  const { decision, end, settled } = await untilHeard(() => hold.decide('commit'));
  // It has no images to be restored from.
  if (isPostCopied(context.plan) && decision !== 'none') {
    if ((end.kind === 'exited' && end.exitCode === 0) || settled === 'restored') return;
    throw await memoryLost(context);
  }
  // Given up for want of a decision, or never started, before a person said that the source is gone: its images are all that there is.
  const neverRan = decision === 'abort' || end.kind === 'absent' || settled === 'ended';
  if (neverRan && decision !== 'none') {
    const refused = await hold.revive(takePlaceForGood(context));
    if (refused) throw placeRefused(context, refused);
    return;
  }
  if ((end.kind === 'exited' && end.exitCode === 0) || settled === 'restored') return;
  throw new FlowError('RELEASE_FAILED', `criu restore on ${destination.name} failed after the commit`, {
    host: destination.name,
    evidence: `criu ${describeEnd(end)}, see ${hold.directory}/restore.log`,
    hint: `The source's copy has ended. The images are complete in ${imagesOf(hold)} on ${destination.name}. When what criu complains of is put right, the command restores them; then resume the run.`,
    command: hold.restoreCommand,
  });
}

/**
 * Says it until it was heard: the first decision counts, so saying it again changes nothing, and a connection that is
 * lost for a moment must not leave the workload between its hosts.
 */
async function untilHeard<Answer>(say: () => Promise<Answer>): Promise<Answer> {
  const deadline = performance.now() + RECONNECT_MS;
  for (;;) {
    try {
      return await say();
    } catch (error) {
      const isLost =
        error instanceof FlowError && (error.code === 'HOST_UNREACHABLE' || error.code === 'TIMEOUT');
      if (!isLost || performance.now() >= deadline) throw error;
      await delay(RETRY_MS);
    }
  }
}

function imagesOf(hold: CriuHold): string {
  return `${posix.dirname(hold.directory)}/images`;
}
