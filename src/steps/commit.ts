import { describeEnd } from '../criu/hold.ts';
import { FlowError } from '../errors/flow-error.ts';
import { workloadState } from '../workload/identity.ts';
import type { StepContext, StepType } from './step.ts';

/**
 * The commit point: end the source's copy, see that it is gone, then let the destination's copy run. There is no undo:
 * before the decision the run can be rolled back, after it the workload lives on the destination.
 */
export const commit: StepType = {
  timeoutMs: 60_000,
  main: {
    async run(context) {
      context.signal.throwIfAborted();
      context.phase('commit');
      await endSource(context);
      context.phase('release');
      await releaseDestination(context);
      context.state.releasedAtMs = performance.now();
      return undefined;
    },
  },
};

async function endSource({ source, state }: StepContext): Promise<void> {
  const { sourceHold: hold, workload } = state;
  if (!hold || !workload || !state.destinationHold) throw new Error('commit: nothing is held');
  // From here on nobody may roll back, whatever we hear: the decision may have reached the source.
  state.committed = true;
  const { decision, end } = await hold.decide('commit');
  if (decision !== 'commit') {
    state.committed = false;
    throw new FlowError('HOLD_LOST', `The source's hold had ended before the commit`, {
      host: source.name,
      hint: 'The controller or the connection was silent for too long. The workload runs on at the source.',
    });
  }
  if (end.kind === 'exited' && end.exitCode === 0) return;
  const root = workload.processes[0];
  if ((await workloadState(source, workload.rootPid, root?.startTicks)) === 'gone') return;
  state.committed = false;
  throw new FlowError('COMMIT_FAILED', `criu on ${source.name} did not end the source's copy`, {
    host: source.name,
    evidence: `criu ${describeEnd(end)}`,
  });
}

async function releaseDestination({ destination, state }: StepContext): Promise<void> {
  const { destinationHold: hold, workload } = state;
  if (!hold || !workload) throw new Error('commit: nothing is held on the destination');
  const { end } = await hold.decide('commit');
  if (end.kind === 'exited' && end.exitCode === 0) return;
  throw new FlowError('RELEASE_FAILED', `criu restore on ${destination.name} failed after the commit`, {
    host: destination.name,
    evidence: `criu ${describeEnd(end)}`,
    hint: `The source's copy has ended. The images are complete in ${hold.directory.replace(/restore$/, 'images')} on both hosts: restore them by hand.`,
  });
}
