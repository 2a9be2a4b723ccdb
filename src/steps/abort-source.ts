import type { CriuHold } from '../criu/hold.ts';
import { areWhole } from '../criu/whole-images.ts';
import { FlowError } from '../errors/flow-error.ts';
import { mustRunScript } from '../host/shell.ts';
import { readWorkload, type WorkloadFacts } from '../workload/facts.ts';
import { requireSameProcess, survivors } from '../workload/identity.ts';
import type { StepContext } from './step.ts';

/**
 * Aborts the source's hold: criu resumes the tasks, unlocks their network and takes TCP out of repair mode. Where criu was
 * lost, the hold's recovery does that; a workload that it had to restore is known by its new start time from then on. One that has
 * ended, and of which there are no whole images, is noted as lost: the rest can be taken back all the same. Idempotent.
 * @throws FlowError RESUME_REFUSED when the source was told to commit: then nothing may be taken back, or when what there is of it is
 *   on the destination only; HOLD_LOST, WORKLOAD_NOT_FOUND when it does not run on
 */
export async function abortSource(context: StepContext, hold: CriuHold): Promise<void> {
  const { source, state } = context;
  const { workload } = state;
  if (!workload) return;
  const { decision, end, settled } = await hold.decide('abort');
  if (decision === 'commit') {
    throw new FlowError(
      'RESUME_REFUSED',
      `${source.name} was already told that its copy may not run any more`,
      {
        host: source.name,
        hint: "There is no way back: what is left to do is to let the destination's copy run. Resume the run.",
      },
    );
  }
  if (end.kind === 'exited' && end.exitCode === 0) {
    throw new FlowError('HOLD_LOST', `criu on ${source.name} ended as if it had committed`, {
      host: source.name,
    });
  }
  // One that criu was never told of, or that has run on since, ended by itself, or with its host.
  const hasItsTimes =
    decision === 'none' || end.kind === 'absent' || settled === 'resumed' || settled === 'healed';
  const isGone = hasItsTimes && (await survivors(source, workload.processes)).length === 0;
  // Then what came to the destination is all that there is of it.
  if (settled === 'gone' && (await isOnDestination(context))) throw onDestinationOnly(context, workload);
  if (settled === 'gone' || isGone) {
    await mustRunScript(source, ADDRESS_BACK_AFTER_ALL_SCRIPT, [hold.directory], {
      what: 'Putting the address back',
    });
    state.lostOnSource = lostOnSource(context, workload);
    state.sourceIsSettled = true;
    return;
  }
  // Never made ready, or cleaned up by an earlier rollback, which has looked.
  const isOver = decision === 'none';
  // Restored by this abort or by an earlier one.
  const isNew = !isOver && settled === 'restored' && (await hasChanged(context));
  if (!isOver && !isNew) await requireSameProcess(source, workload);
  state.sourceIsSettled = true;
  if (!isNew) return;
  context.remember(await readWorkload(source, workload.rootPid));
  context.warn(`criu on ${source.name} was lost: the workload was restored there from its images.`);
}

/** As the hold would have done at an abort, whose workload had to be looked for elsewhere first. Argument: its directory. */
const ADDRESS_BACK_AFTER_ALL_SCRIPT =
  'cd "$1" 2> /dev/null || exit 0; [ -f aborted ] || [ ! -f on-abort ] || sh ./on-abort';

/** Whether the destination has all of a workload that is to move there. */
export async function isOnDestination({ plan, destination, runDirectory }: StepContext): Promise<boolean> {
  if (plan.kind !== 'move' || plan.workload.kind === 'revert') return false;
  return areWhole(destination, runDirectory);
}

function onDestinationOnly({ plan, source }: StepContext, { rootPid, processes }: WorkloadFacts): FlowError {
  return new FlowError(
    'RESUME_REFUSED',
    `Process ${rootPid} (${processes[0]?.command}) on ${source.name} has ended, and its memory is on ${plan.destination} only`,
    {
      host: source.name,
      hint: `Nothing on ${plan.destination} was taken back. To let it go on from the images there, resume the run with --source-is-gone.`,
    },
  );
}

function lostOnSource(
  { plan, source: { name: host } }: StepContext,
  { rootPid, processes }: WorkloadFacts,
): FlowError {
  return new FlowError(
    'WORKLOAD_LOST',
    `Process ${rootPid} (${processes[0]?.command}) on ${host} has ended`,
    {
      host,
      hint:
        plan.workload.kind === 'revert'
          ? `Its images, of the moment in which it moved, are on ${plan.destination}: resume the run, or start it as it is started otherwise.`
          : 'It ended with its host, or by itself, before there were whole images of it. What the run had done is taken back: start it as it is started otherwise.',
    },
  );
}

async function hasChanged({ source, state }: StepContext): Promise<boolean> {
  try {
    if (state.workload) await requireSameProcess(source, state.workload);
    return false;
  } catch {
    return true;
  }
}
