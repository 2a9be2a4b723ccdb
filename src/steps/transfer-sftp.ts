import { posix } from 'node:path';
import { mustRunScript } from '../host/shell.ts';
import { ByteMeter } from '../transfer/byte-meter.ts';
import { leftBehind } from '../transfer/left-behind.ts';
import { bandwidthLimitOf } from '../plan/plan.ts';
import { Pace } from '../transfer/pace.ts';
import { Relay } from '../transfer/relay.ts';
import { reserveImages } from '../transfer/reserve.ts';
import { stagedFile } from '../transfer/staging.ts';
import { sweepLostRuns } from '../transfer/sweep.ts';
import { TreeCopy } from '../transfer/tree-copy.ts';
import { allOver } from './all-over.ts';
import { noteArrival, readDigests } from './carried-images.ts';
import { makeImagesDirectory, REMOVE_RUN_DIRECTORY_SCRIPT } from './run-directory.ts';
import { aroundCopy, sharedSinceFirstCopy } from './shared-files.ts';
import { finishStaging, prepareStaging, syncFirstCopy, undoStaging } from './staged-files.ts';
import {
  bytesInPause,
  type CarryDirectory,
  imagesDirectory,
  memoryBytesOf,
  type StepContext,
  type StepType,
} from './step.ts';

/**
 * Copy the images, and what changed in the workload's files, by SFTP from the source to this machine and from here to the
 * destination, with nothing kept here: for hosts of which neither reaches the other, or which have no rsync. The files are
 * copied once before the freeze.
 */
export const transferSftp: StepType = {
  timeoutMs: 3_600_000,
  prepare: {
    async run(context) {
      const { source, destination, runDirectory, state, plan, attemptId } = context;
      await sweepLostRuns(destination, posix.dirname(runDirectory));
      await prepareStaging(context);
      await makeImagesDirectory(destination, context);
      context.detail(`connect to ${source.name} and ${destination.name} by SFTP`);
      const relay = await Relay.open(
        { source, destination },
        {
          pace: new Pace(bandwidthLimitOf(plan)),
          onReconnect: (lost) =>
            context.warn(`${lost.message} There is a new one, and the copy went on where it was.`),
        },
      );
      state.relay = relay;
      await relay.warmUp(`${runDirectory}/zeros`, memoryBytesOf(state));
      const ends = { source, destination, relay };
      const files: TreeCopy[] = [];
      for (const file of plan.files) {
        files.push(
          await TreeCopy.begin({ ...ends, from: file.path, to: stagedFile(file, attemptId).staged }),
        );
      }
      const poorer = await leftBehind(
        source,
        plan.files.map(({ path }) => path),
        context.signal,
      );
      if (poorer.length > 0) {
        context.warn(
          `The access-control lists and extended attributes of ${poorer.join(', ')} stay behind: SFTP knows neither, and \`transfer/rsync\` carries them.`,
        );
      }
      if (files.length > 0) {
        context.detail('copy the files while the workload runs');
        const copy = async (now: StepContext): Promise<void> => {
          state.sharedMappings = await aroundCopy(now, async () => {
            for (const file of files) await file.copy({ signal: now.signal, isLast: false });
          });
          await syncFirstCopy(now);
        };
        await copy(context);
        state.copyFilesAgain = copy;
      }
      const directory = imagesDirectory(context);
      state.carryProbe = async (name, options) => {
        const place = `${directory}/${name}`;
        await carry(await TreeCopy.begin({ ...ends, from: place, to: place }), options);
      };
      state.relayed = { files };
      return undefined;
    },
    undo: {
      title: 'remove the copied files from the destination',
      run: undoStaging,
    },
  },
  async arm(context) {
    const { source, destination, state } = context;
    const { relay, relayed } = state;
    if (!relay || !relayed) throw new Error('transfer: not prepared');
    const directory = imagesDirectory(context);
    await reserveImages(destination, directory, bytesInPause(context));
    const place = { from: directory, to: directory, keeps: 'contents' } as const;
    const images = await TreeCopy.begin({ source, destination, relay, ...place });
    state.relayed = { ...relayed, images };
    state.carryRound = (_, options) => carry(images, options);
  },
  main: {
    async run(context) {
      const { relayed, imageBytes } = context.state;
      context.phase('transfer');
      if (relayed?.images === undefined || imageBytes === undefined)
        throw new Error('transfer: nothing was dumped');
      readDigests(context);
      const meter = new ByteMeter(imageBytes, (progress) => context.progress(progress, imageBytes));
      await allOver(
        relayed.images.copy({ signal: context.signal, isLast: true, onBytes: (bytes) => meter.add(bytes) }),
        copyLastChanges(context, relayed.files),
      );
      noteArrival(context);
      return undefined;
    },
  },
  cleanUps: [{ on: 'destination', run: cleanUpDestination }],
};

async function carry(
  tree: TreeCopy,
  { sizeBytes, signal, onProgress }: Parameters<CarryDirectory>[1],
): Promise<void> {
  const meter = new ByteMeter(sizeBytes, onProgress);
  await tree.copy({ signal, isLast: false, onBytes: (bytes) => meter.add(bytes) });
}

/** What the workload writes by its memory alone may look unchanged. */
async function copyLastChanges(context: StepContext, files: readonly TreeCopy[]): Promise<void> {
  if (files.length === 0) return;
  const mappings = await sharedSinceFirstCopy(context);
  for (const [index, file] of files.entries()) {
    const again = mappings.get(context.plan.files[index]?.path ?? '');
    await file.copy({ signal: context.signal, isLast: true, ...(again && { again }) });
  }
}

async function cleanUpDestination(context: StepContext): Promise<void> {
  await finishStaging(context);
  await mustRunScript(context.destination, REMOVE_RUN_DIRECTORY_SCRIPT, [context.runDirectory, ''], {
    what: 'Cleaning up',
  });
}
