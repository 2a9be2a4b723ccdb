import { lookUpWorkload } from '../checkpoint/look-up.ts';
import { dumpArguments, healArguments, restoreArguments } from '../criu/arguments.ts';
import { comparedDumpArguments, END_COMPARED_DUMP_SCRIPT, requireCompared } from '../criu/compared-rounds.ts';
import { criuFailure } from '../criu/failure.ts';
import { CriuHold, describeEnd, type Recovery } from '../criu/hold.ts';
import { SETTLE_DUMP_SCRIPT } from '../criu/settle-script.ts';
import { ADDRESS_BACK_SCRIPT } from '../network/address-script.ts';
import { serviceFence } from '../network/fence.ts';
import { isPostCopied, isPreCopied, isStreamed, strategiesOf } from '../plan/plan.ts';
import { choosePort } from '../criu/page-server.ts';
import { CUT_SCRIPT } from '../transfer/one-run-key.ts';
import { followImages } from '../transfer/follow.ts';
import type { TransferProgress } from '../transfer/progress.ts';
import { LAST_ROUND } from '../transfer/rounds.ts';
import { criuNeeds } from '../workload/criu-needs.ts';
import { requireSameProcess } from '../workload/identity.ts';
import { scopeOf } from '../workload/scope.ts';
import { criuOptions, dumpHold } from './criu-options.ts';
import { plainWay } from './direct-copy.ts';
import { makeReady } from './make-ready.ts';
import { ON_HELD_SCRIPT } from './on-held-script.ts';
import { makeImagesDirectory } from './run-directory.ts';
import { cleanUpSource, resumeSource, SOURCE_LEASE_SECONDS } from './source-copy.ts';
import { imagesDirectory, memoryBytesOf, type StepContext, type StepType } from './step.ts';

/**
 * Commands inside of the pause. On the source: start the dump, files that do not wait, mapped files, digests, address, commit; on the
 * destination: note that all has come, digests, start the restore, waiver, release; of a stream, follow the memory and see that it ends well.
 */
const SOURCE_COMMANDS = 6;
const DESTINATION_COMMANDS = 5;
const DESTINATION_COMMANDS_OF_STREAM = 7;

/** Freeze the workload, write its images, and hold it. The only undo that matters: let it run on. */
export const dump: StepType = {
  timeoutMs: 120_000,
  prepare: {
    async run(context) {
      const { source, destination, plan, state } = context;
      state.workload ??= (await lookUpWorkload(context, plan.workload)).workload;
      await makeImagesDirectory(source, context);
      if (isStreamed(plan) || strategiesOf(plan).includes('post-copy'))
        state.pageServerPort = await choosePort([source, destination]);
      return undefined;
    },
  },
  arm: armDump,
  main: {
    async run(context) {
      const { source, state } = context;
      const { sourceHold: hold, workload } = state;
      if (!hold || !workload) throw new Error('dump: not prepared');
      // A checkpoint stays on its host.
      const hosts = new Set([source, context.destination]);
      // What was copied in rounds was made ready before the last of them.
      if (state.rounds === undefined) await makeReady(context);
      await requireSameProcess(source, workload);
      const there = state.pageServer ? DESTINATION_COMMANDS_OF_STREAM : DESTINATION_COMMANDS;
      await Promise.all([...hosts].map((host) => host.standBy(host === source ? SOURCE_COMMANDS : there)));
      context.phase('freeze');
      state.frozenAtMs = performance.now();
      const held = await whileFollowed(context, () => hold.start(context.signal));
      if (held.kind !== 'held') {
        // Where the memory was to go is the cause of what the sender says of it.
        await state.pageServer?.requireSound();
        if (state.preCopy?.isCompared) await requireCompared(source, hold.directory);
        throw await criuFailure('DUMP_FAILED', hold, 'dump', describeEnd(held), context.keep);
      }
      state.imageBytes = held.imageBytes;
      state.criuMs = { ...state.criuMs, dump: held.criuMs };
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

/** Makes the criu that waits to be told to dump. */
async function armDump(context: StepContext): Promise<void> {
  const { source, plan, state } = context;
  const { workload } = state;
  if (!workload) throw new Error('dump: not prepared');
  const address = plan.network.address;
  const fence = address && { fence: serviceFence(context.attemptId, address.cidr, 'in') };
  const directory = dumpHold(context.runDirectory);
  const options = criuOptions(context, directory, criuNeeds(workload));
  const isLazy = isPostCopied(plan);
  const isCompared = isPreCopied(plan) && state.isTracked === false;
  // One was chosen for a strategy that then was not.
  const pageServerPort = isStreamed(plan) || isLazy ? state.pageServerPort : undefined;
  const recovery: Recovery = {
    script: SETTLE_DUMP_SCRIPT,
    tasks: workload.processes,
    ...(pageServerPort === undefined && { again: restoreArguments(options, 'again.log') }),
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
    {
      leaseSeconds: SOURCE_LEASE_SECONDS,
      recovery,
      ...fence,
      ...(pageServerPort !== undefined && !isLazy && { cut: CUT_SCRIPT }),
      serves: isLazy,
      ...(isCompared && { cut: END_COMPARED_DUMP_SCRIPT }),
      scope: scopeOf(workload, context.attemptId),
      // Of a checkpoint they are made when the workload runs on.
      ...(plan.kind === 'move' && { onHeld: ON_HELD_SCRIPT }),
    },
    ({ actionScript }) => {
      const argv = dumpArguments(
        workload.rootPid,
        { ...options, actionScript },
        {
          ...(pageServerPort !== undefined && (isLazy ? { lazyPort: pageServerPort } : { pageServerPort })),
          ...(isPreCopied(plan) && !isCompared && { parent: LAST_ROUND }),
        },
      );
      return isCompared ? comparedDumpArguments(context.runDirectory, plainWay(context), argv) : argv;
    },
  );
}

/** Shows how the memory comes to the destination while it is dumped. */
async function whileFollowed<Result>(context: StepContext, dumped: () => Promise<Result>): Promise<Result> {
  const { destination, state } = context;
  if (state.pageServer === undefined) return dumped();
  const end = new AbortController();
  const totalBytes = memoryBytesOf(state);
  const onProgress = (progress: TransferProgress): void => context.progress(progress, totalBytes);
  void followImages(destination, imagesDirectory(context), { totalBytes, onProgress, signal: end.signal });
  try {
    return await dumped();
  } finally {
    end.abort();
  }
}
