import { removeSeries } from '../checkpoint/store.ts';
import { CriuHold } from '../criu/hold.ts';
import { SETTLE_GIVE_UP_SCRIPT, STAND_IN_SCRIPT } from '../criu/give-up-script.ts';
import { FlowError } from '../errors/flow-error.ts';
import { serviceFence } from '../network/fence.ts';
import { dumpHold } from './criu-options.ts';
import { cleanUpSource, resumeSource, SOURCE_LEASE_SECONDS } from './source-copy.ts';
import type { StepContext, StepType } from './step.ts';

/**
 * Makes ready to end the source's copy, whose place its own images take: it runs on, behind the fence, until the commit. What
 * decides is a hold as that of a dump, without a criu: there is nothing to write down.
 */
export const giveUp: StepType = {
  timeoutMs: 60_000,
  prepare: {
    async run(context) {
      const { source, plan, state, attemptId, runDirectory } = context;
      const { workload } = state;
      if (!workload) throw new Error('give-up: no workload was read');
      const address = plan.network.address;
      state.sourceHold = await CriuHold.prepare(
        source,
        dumpHold(runDirectory),
        {
          leaseSeconds: SOURCE_LEASE_SECONDS,
          recovery: { script: SETTLE_GIVE_UP_SCRIPT, tasks: workload.processes, again: [] },
          ...(address && { fence: serviceFence(attemptId, address.cidr, 'in') }),
        },
        ({ actionScript }) => ['sh', '-c', STAND_IN_SCRIPT, 'criu-flow', actionScript],
      );
      return undefined;
    },
  },
  main: {
    async run({ source, state, signal }) {
      if (!state.sourceHold) throw new Error('give-up: not prepared');
      const held = await state.sourceHold.start(signal);
      if (held.kind === 'held') return undefined;
      throw new FlowError('HOLD_LOST', `The copy on ${source.name} cannot be made ready to be ended`, {
        host: source.name,
        ...(held.kind === 'refused' && { evidence: held.stderr }),
        hint: 'It runs on as if nothing had happened.',
      });
    },
    undo: {
      title: 'leave the copy on the source as it is',
      run: resumeSource,
    },
  },
  cleanUps: [
    { on: 'destination', run: removeImages },
    { on: 'source', run: cleanUpSource },
  ],
};

/** The images have come to life: what is left of them is a past that nobody wants back. */
async function removeImages({ destination, plan, state }: StepContext): Promise<void> {
  if (state.committed && plan.workload.kind === 'revert')
    await removeSeries(destination, plan.workload.series);
}
