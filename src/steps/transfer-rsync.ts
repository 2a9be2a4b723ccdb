import { posix } from 'node:path';
import { mustRunScript } from '../host/shell.ts';
import { readManifest } from '../transfer/manifest.ts';
import { destinationAccess } from '../transfer/destination-access.ts';
import { closeDirectPath, openDirectPath, REVOKE_SCRIPT } from '../transfer/one-run-key.ts';
import { reserveImages } from '../transfer/reserve.ts';
import { copyFiles, copyFilesAgain, ImagesTransfer } from '../transfer/rsync.ts';
import { stagedFile, stagingPath } from '../transfer/staging.ts';
import { sweepLostRuns } from '../transfer/sweep.ts';
import { REMOVE_RUN_DIRECTORY_SCRIPT } from './run-directory.ts';
import { findDirectories, finishStaging, prepareStaging, undoStaging } from './staged-files.ts';
import { aroundCopy, sharedSinceFirstCopy } from './shared-files.ts';
import { imagesDirectory, type StepContext, type StepType } from './step.ts';

/**
 * Copy the images, and what changed in the workload's files, straight from the source to the destination. The files
 * are copied once before the freeze, while the workload runs, so that only what changed since is copied inside of the
 * pause.
 */
export const transferRsync: StepType = {
  timeoutMs: 3_600_000,
  prepare: {
    async run(context) {
      const { source, destination, attemptId, runDirectory, state } = context;
      await sweepLostRuns(destination, posix.dirname(runDirectory));
      await prepareStaging(context);
      const memoryBytes = state.workload?.processes.map((process) => process.memoryBytes) ?? [];
      await reserveImages(destination, imagesDirectory(context), memoryBytes);
      context.detail(`connect ${source.name} to ${destination.name}`);
      context.state.directPathConfig = await openDirectPath({
        source,
        destination,
        access: await destinationAccess(destination.name, context.sshConfigFile),
        runId: attemptId,
        runDirectory,
        imageBytes: memoryBytes.reduce((sum, bytes) => sum + bytes, 0),
      });
      if (context.plan.files.length > 0) {
        context.detail('copy the files while the workload runs');
        state.directories = await findDirectories(context);
        state.sharedMappings = await aroundCopy(context, () => copyAllFiles(context));
      }
      state.imagesTransfer = new ImagesTransfer({
        source,
        sshConfigFile: directPath(context),
        ...imagesPath(context),
      });
      return undefined;
    },
    undo: {
      title: 'remove the copied files from the destination',
      run: undoStaging,
    },
  },
  main: {
    async run(context) {
      const { source, state, signal } = context;
      context.phase('transfer');
      const images = imagesDirectory(context);
      const { imageBytes, imagesTransfer } = state;
      if (imageBytes === undefined || imagesTransfer === undefined)
        throw new Error('transfer/rsync: nothing was dumped');
      // Needed at the commit only. Whoever awaits it sees its failure.
      state.dumpedImages = readManifest(source, images, signal);
      state.dumpedImages.catch(() => undefined);
      await Promise.all([
        imagesTransfer.send(signal, (progress) => context.progress(progress, imageBytes)),
        copyLastChanges(context),
      ]);
      return undefined;
    },
  },
  cleanUps: [
    { on: 'source', run: cleanUpSource },
    { on: 'destination', run: cleanUpDestination },
  ],
};

async function cleanUpSource({ source, runDirectory, state }: StepContext): Promise<void> {
  await state.imagesTransfer?.cancel();
  await closeDirectPath(source, runDirectory);
}

async function cleanUpDestination(context: StepContext): Promise<void> {
  const { destination, runDirectory, attemptId } = context;
  const what = 'Cleaning up';
  await finishStaging(context);
  await mustRunScript(destination, REVOKE_SCRIPT, [runDirectory, attemptId], { what });
  await mustRunScript(destination, REMOVE_RUN_DIRECTORY_SCRIPT, [runDirectory, ''], { what });
}

async function copyAllFiles(context: StepContext): Promise<void> {
  const { source, plan, signal } = context;
  for (const { path } of plan.files) await copyFiles({ source, ...wayOf(context, path) }, signal);
}

function wayOf(
  context: StepContext,
  path: string,
): ReturnType<typeof stagingPath> & { sshConfigFile: string } {
  const { attemptId, state } = context;
  const slash = state.directories?.has(path) === true ? '/' : '';
  return { sshConfigFile: directPath(context), ...stagingPath(stagedFile({ path }, attemptId), slash) };
}

/** What the workload writes by its memory alone may look unchanged. */
async function copyLastChanges(context: StepContext): Promise<void> {
  const { source, signal } = context;
  const [mappings] = await Promise.all([sharedSinceFirstCopy(context), copyAllFiles(context)]);
  for (const [path, names] of mappings)
    await copyFilesAgain({ source, ...wayOf(context, path) }, names, signal);
}

/** From where to where the images travel. */
export function imagesPath(context: Pick<StepContext, 'runDirectory'>): {
  readonly from: string;
  readonly to: string;
} {
  const images = `${imagesDirectory(context)}/`;
  return { from: images, to: images };
}

function directPath(context: StepContext): string {
  if (context.state.directPathConfig === undefined) throw new Error('transfer/rsync: not prepared');
  return context.state.directPathConfig;
}
