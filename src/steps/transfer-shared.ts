import { posix } from 'node:path';
import { mustRunScript } from '../host/shell.ts';
import { shareImages } from '../transfer/shared-directory.ts';
import { sweepLostRuns } from '../transfer/sweep.ts';
import { noteArrival, readDigests } from './carried-images.ts';
import { REMOVE_RUN_DIRECTORY_SCRIPT } from './run-directory.ts';
import { sharedPlace } from './shared-place.ts';
import { prepareStaging } from './staged-files.ts';
import type { StepContext, StepType } from './step.ts';

/**
 * Copy nothing: the source's criu writes the images where the destination's reads them. What they share is proved before the
 * freeze; the digests, read on both hosts, prove that the destination sees all of it. criu closes each image before it holds, by which an NFS
 * client has sent it to the server, and the destination opens them after that.
 * @see nfs(5), close-to-open cache consistency
 */
export const transferShared: StepType = {
  timeoutMs: 3_600_000,
  prepare: {
    async run(context) {
      const { source, destination, runDirectory, plan } = context;
      await sweepLostRuns(destination, posix.dirname(runDirectory));
      await prepareStaging(context);
      const shared = sharedPlace(context);
      if (shared === undefined) throw new Error(`transfer/shared: not in ${plan.name}`);
      context.detail(`see that ${source.name} and ${destination.name} share ${shared.directory}`);
      await shareImages(source, destination, { ...shared, runDirectory });
      return undefined;
    },
  },
  main: {
    async run(context) {
      context.phase('transfer');
      if (context.state.imageBytes === undefined) throw new Error('transfer/shared: nothing was dumped');
      readDigests(context);
      noteArrival(context);
      return undefined;
    },
  },
  cleanUps: [{ on: 'destination', run: cleanUpDestination }],
};

/** The images themselves go with the source's directory: here it is a link to them. */
async function cleanUpDestination({ destination, runDirectory }: StepContext): Promise<void> {
  await mustRunScript(destination, REMOVE_RUN_DIRECTORY_SCRIPT, [runDirectory, ''], { what: 'Cleaning up' });
}
