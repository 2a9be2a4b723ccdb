import { markMoved } from '../checkpoint/store.ts';
import { removeNetworkLock } from '../criu/lock-table.ts';
import { FlowError } from '../errors/flow-error.ts';
import { commandOn } from '../host/command-on.ts';
import { mustRunScript } from '../host/shell.ts';
import { fenceTable } from '../network/fence.ts';
import { endOrphanSockets } from '../network/orphan-sockets.ts';
import { survivors } from '../workload/identity.ts';
import { abortSource } from './abort-source.ts';
import { dumpHold } from './criu-options.ts';
import { REMOVE_RUN_DIRECTORY_SCRIPT } from './run-directory.ts';
import { sharedPlace } from './shared-place.ts';
import type { StepContext } from './step.ts';

/** Seconds of silence from the controller after which the source's hold aborts and the workload runs on. */
export const SOURCE_LEASE_SECONDS = 30;

/** Takes down what held the source's copy, ready to end it: what the run has come to decides once more. Idempotent. */
export async function cleanUpSource(context: StepContext): Promise<void> {
  const { source, state } = context;
  // Ends the process that waits to become criu, when the run did not come that far; the first decision counts. A source that
  // was gone at the commit has none yet: it must not bring its copy back.
  const decided = await state.sourceHold?.decide(state.committed ? 'commit' : 'abort');
  if (state.committed && decided?.decision === 'abort') await requireGone(context);
  if (state.workload) {
    const { rootPid } = state.workload;
    const { address } = context.plan.network;
    // Before the fence goes: a reset of one of them must not reach a client.
    if (state.committed && address) await endOrphanSockets(source, address.cidr);
    await removeNetworkLock(source, dumpHold(context.runDirectory), rootPid, fenceTable(context.attemptId));
  }
  // Who restored one of its checkpoints here would start a second copy.
  if (state.committed && state.workload) await markMoved(source, state.workload, context.destination.name);
  const keep = context.keepImages && state.committed ? '1' : '';
  await mustRunScript(
    source,
    REMOVE_RUN_DIRECTORY_SCRIPT,
    [context.runDirectory, keep, sharedPlace(context)?.place ?? ''],
    {
      what: 'Cleaning up',
    },
  );
}

/** Only a person who was wrong about a source that was gone can have come to this. */
async function requireGone({ source, state }: StepContext): Promise<void> {
  const alive = state.workload ? await survivors(source, state.workload.processes) : [];
  if (alive.length === 0) return;
  throw new FlowError('COMMIT_FAILED', `The workload runs on ${source.name} too: it was not gone`, {
    host: source.name,
    evidence: `alive: ${alive.join(', ')}`,
    hint: 'Two copies run. Decide which one is to stay, and end the other.',
    command: commandOn(source, ['kill', '-KILL', ...alive.map(String)]),
  });
}

/** Lets the source's copy run on. */
export async function resumeSource(context: StepContext): Promise<void> {
  const { sourceHold, workload } = context.state;
  if (sourceHold && workload) await abortSource(context, sourceHold);
}
