import { posix } from 'node:path';
import { mustRunScript } from '../host/shell.ts';
import { endPageServer, PageServer } from '../criu/page-server.ts';
import { sweepLostRuns } from '../transfer/sweep.ts';
import { STREAMED_MARK } from '../criu/whole-images.ts';
import { allOver } from './all-over.ts';
import { noteArrival, readDigests } from './carried-images.ts';
import { cleanUpArrival, closeWay, openWay, sendOnWay, waitOnWay } from './direct-copy.ts';
import { makeImagesDirectory } from './run-directory.ts';
import { prepareStaging, undoStaging } from './staged-files.ts';
import { imagesDirectory, type StepContext, type StepType } from './step.ts';

/**
 * Take the memory from the source's criu as it is dumped, by criu's page server on the destination, through the straight way from
 * host to host. What is left to transfer are the other images, a few kilobytes, and what changed in the files.
 *
 * ssh authenticates each packet, and criu is told by the page server that it has written all of it before it holds: there is nothing on
 * the source to compare the memory with. The other images are compared as ever.
 * @see criu(8), page-server
 */
export const transferStream: StepType = {
  timeoutMs: 3_600_000,
  prepare: {
    async run(context) {
      const { source, destination, runDirectory, state } = context;
      const { pageServerPort: port } = state;
      if (port === undefined) throw new Error('transfer/stream: the dump was not prepared');
      await sweepLostRuns(destination, posix.dirname(runDirectory));
      await prepareStaging(context);
      // Before there is anything that could be taken for whole.
      await mustRunScript(source, `: > "$1/${STREAMED_MARK}"`, [runDirectory], {
        what: 'Marking the images',
      });
      await makeImagesDirectory(destination, context);
      await openWay(context, { port });
      state.pageServer = await PageServer.start(destination, {
        directory: pageServerDirectory(context),
        imagesDirectory: imagesDirectory(context),
        port,
      });
      return undefined;
    },
    undo: {
      title: 'remove the copied files from the destination',
      run: undoStaging,
    },
  },
  arm: (context) => Promise.resolve(waitOnWay(context, 'without-memory')),
  main: {
    async run(context) {
      const { state, signal } = context;
      context.phase('transfer');
      readDigests(context);
      await allOver(
        state.pageServer?.finish(signal) ?? Promise.resolve(),
        sendOnWay(context, 'without-memory'),
      );
      noteArrival(context);
      return undefined;
    },
  },
  cleanUps: [
    { on: 'source', run: closeWay },
    { on: 'destination', run: cleanUpDestination },
  ],
};

/** On the destination. */
export function pageServerDirectory({ runDirectory }: Pick<StepContext, 'runDirectory'>): string {
  return `${runDirectory}/page-server`;
}

async function cleanUpDestination(context: StepContext): Promise<void> {
  await endPageServer(context.destination, pageServerDirectory(context));
  await cleanUpArrival(context);
}
