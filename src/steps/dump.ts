import { lookUpWorkload } from '../checkpoint/look-up.ts';
import { markMoved } from '../checkpoint/store.ts';
import { dumpArguments, healArguments, restoreArguments } from '../criu/arguments.ts';
import { criuFailure } from '../criu/failure.ts';
import { CriuHold, type Recovery } from '../criu/hold.ts';
import { removeNetworkLock } from '../criu/lock-table.ts';
import { SETTLE_DUMP_SCRIPT } from '../criu/settle-script.ts';
import { FlowError } from '../errors/flow-error.ts';
import { commandOn } from '../host/command-on.ts';
import { mustRunScript } from '../host/shell.ts';
import { ADDRESS_BACK_SCRIPT } from '../network/address-script.ts';
import { fenceTable, serviceFence } from '../network/fence.ts';
import { endOrphanSockets } from '../network/orphan-sockets.ts';
import { touchMemory } from '../transfer/reserve.ts';
import { needsShellJob, requireSameProcess, survivors } from '../workload/identity.ts';
import { abortSource } from './abort-source.ts';
import { criuOptions, dumpHold } from './criu-options.ts';
import { REMOVE_RUN_DIRECTORY_SCRIPT } from './run-directory.ts';
import { imagesDirectory, type StepContext, type StepType } from './step.ts';

/** Seconds of silence from the controller after which the source's hold aborts and the workload runs on. */
const LEASE_SECONDS = 30;

/**
 * Commands inside of the pause. On the source: start the dump, rsync of images and of files, digests, address, commit;
 * on the destination: digests, start the restore, release.
 */
const SOURCE_COMMANDS = 6;
const DESTINATION_COMMANDS = 3;

/** Freeze the workload, write its images, and hold it. The only undo that matters: let it run on. */
export const dump: StepType = {
  timeoutMs: 120_000,
  prepare: {
    async run(context) {
      const { source, plan, state } = context;
      state.workload ??= (await lookUpWorkload(source, plan.workload)).workload;
      const address = plan.network.address;
      const { workload } = state;
      await mustRunScript(source, 'umask 077; mkdir -p "$1"', [imagesDirectory(context)], {
        what: 'Making the images directory',
      });
      const fence = address && { fence: serviceFence(context.attemptId, address.cidr, 'in') };
      const directory = dumpHold(context.runDirectory);
      const options = criuOptions(context, directory, needsShellJob(workload));
      const recovery: Recovery = {
        script: SETTLE_DUMP_SCRIPT,
        tasks: workload.processes,
        again: restoreArguments(options, 'again.log'),
        ...(address && {
          beforeAgain: { script: ADDRESS_BACK_SCRIPT, address: [address.cidr, address.device] },
        }),
        ...(plan.network.connections === 'keep' && {
          heal: healArguments(workload.rootPid, { ...options, imagesDirectory: `${directory}/heal-images` }),
        }),
      };
      state.sourceHold = await CriuHold.prepare(
        source,
        directory,
        { leaseSeconds: LEASE_SECONDS, recovery, ...fence },
        ({ actionScript }) => dumpArguments(workload.rootPid, { ...options, actionScript }),
      );
      return undefined;
    },
  },
  main: {
    async run(context) {
      const { source, state } = context;
      const { sourceHold: hold, workload } = state;
      if (!hold || !workload) throw new Error('dump: not prepared');
      // A checkpoint stays on its host.
      const hosts = new Set([source, context.destination]);
      const memoryBytes = workload.processes.reduce((sum, process) => sum + process.memoryBytes, 0);
      await Promise.all([
        requireSameProcess(source, workload),
        ...[...hosts].map((host) => touchMemory(host, context.runDirectory, memoryBytes)),
      ]);
      await Promise.all(
        [...hosts].map((host) => host.standBy(host === source ? SOURCE_COMMANDS : DESTINATION_COMMANDS)),
      );
      context.phase('freeze');
      state.frozenAtMs = performance.now();
      const held = await hold.start(context.signal);
      if (held.kind !== 'held') throw await criuFailure('DUMP_FAILED', hold, 'dump', held, context.keep);
      state.imageBytes = held.imageBytes;
      state.frozenTasks = held.tasks;
      return undefined;
    },
    undo: {
      title: 'let the workload run on at the source',
      run: resumeSource,
    },
  },
  cleanUps: [{ on: 'source', run: cleanUpSource }],
};

async function cleanUpSource(context: StepContext): Promise<void> {
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
  await mustRunScript(source, REMOVE_RUN_DIRECTORY_SCRIPT, [context.runDirectory, keep], {
    what: 'Cleaning up',
  });
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

async function resumeSource(context: StepContext): Promise<void> {
  const { sourceHold, workload } = context.state;
  if (sourceHold && workload) await abortSource(context, sourceHold);
}
