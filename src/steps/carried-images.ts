import { markArrived } from '../criu/whole-images.ts';
import { readDumpedManifest } from '../transfer/manifest.ts';
import { imagesDirectory, type StepContext } from './step.ts';

/** Asks for the digests of the images on the source, which are needed at the commit only. */
export function readDigests(context: StepContext): void {
  const digests = readDumpedManifest(context.source, imagesDirectory(context), context.signal);
  // Whoever awaits it sees its failure.
  digests.catch(() => undefined);
  context.state.dumpedImages = digests;
}

/** All images have come to the destination. Whoever restores from them awaits that it is noted there. */
export function noteArrival({ destination, runDirectory, state }: StepContext): void {
  state.arrivalNoted = markArrived(destination, runDirectory);
  state.arrivalNoted.catch(() => undefined);
}
