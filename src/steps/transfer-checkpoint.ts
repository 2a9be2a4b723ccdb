import { takeImages } from '../checkpoint/store.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { mustRunScript } from '../host/shell.ts';
import { copyOnHost } from '../transfer/rsync.ts';
import { stagedFile } from '../transfer/staging.ts';
import { REMOVE_RUN_DIRECTORY_SCRIPT } from './run-directory.ts';
import { finishStaging, prepareStaging, syncFirstCopy, undoStaging } from './staged-files.ts';
import type { StepContext, StepType } from './step.ts';

/** Take the images of a checkpoint, which stays as it is, and put its files beside their places. */
export const transferCheckpoint: StepType = {
  timeoutMs: 3_600_000,
  prepare: {
    async run(context) {
      const { destination, runDirectory, state, signal } = context;
      const checkpoint = checkpointOf(context);
      await prepareStaging(context);
      context.detail('copy the files of the checkpoint beside their places');
      await copyAllFiles(context, checkpoint);
      await syncFirstCopy(context);
      // As they were when they were kept: what became of them since, the restore finds out.
      state.dumpedImages = Promise.resolve(await takeImages(destination, checkpoint, runDirectory, signal));
      return undefined;
    },
    undo: {
      title: 'remove the copied files',
      run: undoStaging,
    },
  },
  main: {
    async run(context) {
      context.phase('transfer');
      const { id, series, createdAt } = checkpointOf(context);
      return `checkpoint ${id} of ${series}, of ${createdAt}`;
    },
  },
  cleanUps: [{ on: 'destination', run: cleanUp }],
};

async function cleanUp(context: StepContext): Promise<void> {
  const { destination, runDirectory } = context;
  await finishStaging(context);
  await mustRunScript(destination, REMOVE_RUN_DIRECTORY_SCRIPT, [runDirectory, ''], { what: 'Cleaning up' });
}

function checkpointOf({ state }: StepContext): Checkpoint {
  if (!state.checkpoint) throw new Error('transfer/checkpoint: no checkpoint was read');
  return state.checkpoint;
}

async function copyAllFiles(context: StepContext, { directory, files }: Checkpoint): Promise<void> {
  const { destination, attemptId, plan, signal } = context;
  for (const file of plan.files) {
    const index = files.findIndex(({ path }) => path === file.path);
    const slash = files[index]?.isDirectory === true ? '/' : '';
    const { staged } = stagedFile(file, attemptId);
    await copyOnHost(
      destination,
      { from: `${directory}/files/${index + 1}${slash}`, to: `${staged}${slash}` },
      signal,
    );
  }
}
