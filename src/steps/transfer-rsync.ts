import { posix } from 'node:path';
import { isPostCopied, isPreCopied } from '../plan/plan.ts';
import { reserveImages } from '../transfer/reserve.ts';
import type { ImagesWanted } from '../transfer/images-wanted.ts';
import { sweepLostRuns } from '../transfer/sweep.ts';
import { chooseCompression } from './choose-compression.ts';
import { noteArrival, readDigests } from './carried-images.ts';
import { cleanUpArrival, closeWay, openWay, sendOnWay, waitOnWay } from './direct-copy.ts';
import { openMemoryWay } from './post-copy.ts';
import { makeImagesDirectory } from './run-directory.ts';
import { prepareStaging, undoStaging } from './staged-files.ts';
import { bytesInPause, imagesDirectory, type StepContext, type StepType } from './step.ts';

/**
 * Copy the images, and what changed in the workload's files, straight from the source to the destination. The files
 * are copied once before the freeze, while the workload runs, so that only what changed since is copied inside of the
 * pause. What compresses the images is what was measured to be the fastest; as they are they go without rsync.
 */
export const transferRsync: StepType = {
  timeoutMs: 3_600_000,
  prepare: {
    async run(context) {
      const { destination, runDirectory } = context;
      await sweepLostRuns(destination, posix.dirname(runDirectory));
      await prepareStaging(context);
      await makeImagesDirectory(destination, context);
      const warmUpMs = await openWay(context, { portBack: context.state.pageServerPort });
      context.state.compression = await chooseCompression(context, warmUpMs);
      return undefined;
    },
    undo: {
      title: 'remove the copied files from the destination',
      run: undoStaging,
    },
  },
  async arm(context) {
    await reserveImages(context.destination, imagesDirectory(context), bytesInPause(context));
    waitOnWay(context, imagesInPause(context));
    await openMemoryWay(context);
  },
  main: {
    async run(context) {
      context.phase('transfer');
      readDigests(context);
      await sendOnWay(context, imagesInPause(context));
      // Without most of the memory they are not whole.
      if (!isPostCopied(context.plan)) noteArrival(context);
      return undefined;
    },
  },
  cleanUps: [
    { on: 'source', run: closeWay },
    { on: 'destination', run: cleanUpArrival },
  ],
};

function imagesInPause({ plan }: StepContext): ImagesWanted {
  return isPreCopied(plan) ? 'without-rounds' : 'all';
}
