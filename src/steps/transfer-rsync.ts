import { posix } from 'node:path';
import { mustRunScript } from '../host/shell.ts';
import { FlowError } from '../errors/flow-error.ts';
import { readManifest } from '../transfer/manifest.ts';
import { destinationAccess } from '../transfer/destination-access.ts';
import { closeDirectPath, openDirectPath, REVOKE_SCRIPT } from '../transfer/one-run-key.ts';
import { reserveImages } from '../transfer/reserve.ts';
import { copyFiles, ImagesTransfer } from '../transfer/rsync.ts';
import {
  STAGE_FINISH_SCRIPT,
  STAGE_PREPARE_SCRIPT,
  STAGE_UNDO_SCRIPT,
  stagedFile,
  stagingArguments,
  stagingPath,
} from '../transfer/staging.ts';
import { sweepLostRuns } from '../transfer/sweep.ts';
import { REMOVE_RUN_DIRECTORY_SCRIPT } from './run-directory.ts';
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
        await copyAllFiles(context);
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
        copyAllFiles(context),
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
  const { destination, runDirectory, attemptId, state } = context;
  const what = 'Cleaning up';
  // Of a rollback that passed over a destination which is back by now, the copies are still there.
  const script = state.committed ? STAGE_FINISH_SCRIPT : STAGE_UNDO_SCRIPT;
  await mustRunScript(destination, script, stagingOf(context), { what });
  await mustRunScript(destination, REVOKE_SCRIPT, [runDirectory, attemptId], { what });
  await mustRunScript(destination, REMOVE_RUN_DIRECTORY_SCRIPT, [runDirectory, ''], { what });
}

/** A destination that is lost before its restore began holds nothing but staged copies: a warning, not a failure. */
async function undoStaging(context: StepContext): Promise<void> {
  const { destination, state } = context;
  try {
    await mustRunScript(destination, STAGE_UNDO_SCRIPT, stagingOf(context), {
      what: 'Removing the copied files',
    });
  } catch (error) {
    const isLost = error instanceof FlowError && error.code === 'HOST_UNREACHABLE';
    if (!isLost || state.restoreBegan) throw error;
    context.warn(`${destination.name} is unreachable: ${context.runDirectory} is left there.`);
  }
}

async function prepareStaging(context: StepContext): Promise<void> {
  const { destination } = context;
  const result = await mustRunScript(destination, STAGE_PREPARE_SCRIPT, stagingOf(context), {
    what: 'Preparing the places of the files',
    allow: [3],
  });
  if (result.exitCode === 0) return;
  throw new FlowError('FILES_CONFLICT', `A path of \`files\` cannot be replaced on ${destination.name}`, {
    host: destination.name,
    evidence: result.stderr.trim(),
    hint: 'Name the directories inside of the mount point instead.',
  });
}

/** Prints, for each argument, what it is. */
const KIND_SCRIPT =
  'for path; do if [ -d "$path" ]; then echo directory; else [ -e "$path" ] && echo file || echo; fi; done';

/** Which of the workload's files are directories; rsync must be told. */
async function findDirectories({ source, plan }: StepContext): Promise<ReadonlySet<string>> {
  const paths = plan.files.map((file) => file.path);
  const { stdout } = await mustRunScript(source, KIND_SCRIPT, paths, { what: 'Looking at the files' });
  const kinds = stdout.split('\n');
  const missing = paths.find((_, index) => kinds[index] === '');
  if (missing !== undefined) {
    throw new FlowError('TRANSFER_FAILED', `${missing} is not on ${source.name}`, {
      host: source.name,
      hint: 'Correct `files:` in the recipe.',
    });
  }
  return new Set(paths.filter((_, index) => kinds[index] === 'directory'));
}

async function copyAllFiles(context: StepContext): Promise<void> {
  const { source, plan, attemptId, signal, state } = context;
  const sshConfigFile = directPath(context);
  for (const file of plan.files) {
    const slash = state.directories?.has(file.path) === true ? '/' : '';
    const path = stagingPath(stagedFile(file, attemptId), slash);
    await copyFiles({ source, sshConfigFile, ...path }, signal);
  }
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

function stagingOf(context: StepContext): string[] {
  const files = context.plan.files.map((file) => stagedFile(file, context.attemptId));
  return [context.runDirectory, ...stagingArguments(files)];
}
