import { setTimeout as sleep } from 'node:timers/promises';
import { mustRunScript } from '../host/shell.ts';
import { stopError } from '../host/stop.ts';
import type { Compression } from '../events/event.ts';
import { openDetour } from '../host/ssh-detour.ts';
import { bandwidthLimitOf, type FilePlan, isPostCopied } from '../plan/plan.ts';
import { destinationAccess } from '../transfer/destination-access.ts';
import {
  closeDirectPath,
  directPathConfig,
  openDirectPath,
  reopenDirectPath,
  REVOKE_SCRIPT,
} from '../transfer/one-run-key.ts';
import { RECONNECT_EVERY_MS, RECONNECT_WITHIN_MS } from '../transfer/reconnect.ts';
import type { ImagesWanted } from '../transfer/images-wanted.ts';
import type { TransferProgress } from '../transfer/progress.ts';
import { BrokenTransfer, copyFiles, copyFilesAgain, copyRound, WaitingCopy } from '../transfer/rsync.ts';
import type { SharedMappings } from '../workload/shared-mappings.ts';
import { stagedFile, stagingPath } from '../transfer/staging.ts';
import { REMOVE_RUN_DIRECTORY_SCRIPT } from './run-directory.ts';
import { aroundCopy, sharedSinceFirstCopy } from './shared-files.ts';
import { allOver } from './all-over.ts';
import { findDirectories, finishStaging, syncFirstCopy } from './staged-files.ts';
import { imagesDirectory, memoryBytesOf, type StepContext } from './step.ts';

/**
 * Opens the way from the source straight to the destination, and copies the files there while the workload runs.
 * @param port of 127.0.0.1 that leads to the destination too
 * @param portBack of 127.0.0.1 on the destination that may be led back: when it must be, there is no detour, on which more could be lost
 * @returns milliseconds that as many zeros took as there is memory, 64 MiB of them at most; infinite where not all came within two seconds
 */
export async function openWay(
  context: StepContext,
  { port, portBack }: { readonly port?: number; readonly portBack?: number | undefined },
): Promise<number> {
  const { source, destination, attemptId, runDirectory, state } = context;
  context.detail(`connect ${source.name} to ${destination.name}`);
  const warmUpMs = await openDirectPath({
    source,
    destination,
    access: await destinationAccess(destination.name, context.sshConfigFile),
    runId: attemptId,
    runDirectory,
    imageBytes: memoryBytesOf(state),
    bandwidthLimit: bandwidthLimitOf(context.plan),
    port,
    portBack,
    ...(source.name !== 'local' &&
      !isPostCopied(context.plan) && { detour: (why: string) => goThroughHere(context, why) }),
  });
  state.directPathConfig = directPathConfig(runDirectory);
  if (context.plan.files.length > 0) {
    context.detail('copy the files while the workload runs');
    state.directories = await findDirectories(context);
    await copyWhileItRuns(context);
    state.copyFilesAgain = copyWhileItRuns;
  }
  const { from: directory, to } = imagesPath(context);
  state.carryProbe = (name, { signal, onProgress, compression = compressionOf(context) }) =>
    copyRound(
      { source, sshConfigFile: directPath(context), from: `${directory}${name}`, to },
      compression,
      signal,
      onProgress,
    );
  state.carryRound = state.carryProbe;
  return warmUpMs;
}

function compressionOf({ state }: Pick<StepContext, 'state'>): Compression {
  return state.compression?.chosen ?? 'none';
}

/** The ssh_config on the source with which images travel as they are to the destination; undefined where they go another way. */
export function plainWay(context: Pick<StepContext, 'state'>): string | undefined {
  return compressionOf(context) === 'none' ? context.state.directPathConfig : undefined;
}

/** Has a copy wait for the images, and others for what changes in the directories among the files. */
export function waitOnWay(context: StepContext, images: ImagesWanted): void {
  const { source, state } = context;
  state.directoryTransfers = waitForDirectories(context);
  state.imagesTransfer = WaitingCopy.ofImages(
    { source, sshConfigFile: directPath(context), ...imagesPath(context) },
    { images, compression: compressionOf(context) },
  );
}

async function copyWhileItRuns(context: StepContext): Promise<void> {
  const { state, plan } = context;
  state.sharedMappings = await aroundCopy(context, () => copyInTurn(context, plan.files, true));
  await syncFirstCopy(context);
}

/** For hosts that do not reach each other: what only ssh of theirs can read goes through this machine. */
async function goThroughHere(
  { source, destination, state, warn }: StepContext,
  why: string,
): Promise<{ readonly hostName: string; readonly port: number }> {
  state.detour = await openDetour(source, destination);
  warn(
    `${source.name} cannot reach ${destination.name} by itself (${why}): all that it sends goes through this machine, encrypted.`,
  );
  return { hostName: '127.0.0.1', port: state.detour.port };
}

/**
 * How many wait: each takes a channel of the connection to the source, and what does not find one (sshd_config(5), MaxSessions) has to
 * connect anew.
 */
export const MOST_WAITING = 2;

function waitForDirectories(context: StepContext): ReadonlyMap<string, WaitingCopy> {
  const { source, state } = context;
  const paths = [...(state.directories ?? [])].slice(0, MOST_WAITING);
  return new Map(paths.map((path) => [path, WaitingCopy.ofDirectory({ source, ...wayOf(context, path) })]));
}

/**
 * Sends the images, and what changed in the files since. When the connection breaks, sends on a new one what has not come.
 * @throws FlowError TRANSFER_FAILED, INTERRUPTED
 */
export async function sendOnWay(context: StepContext, images: ImagesWanted): Promise<void> {
  const { imageBytes, imagesTransfer } = context.state;
  if (imageBytes === undefined || imagesTransfer === undefined)
    throw new Error('transfer: nothing was dumped');
  const onProgress = (progress: TransferProgress): void =>
    context.progress(withRest(progress, imageBytes), imageBytes);
  try {
    await allOver(imagesTransfer.send(context.signal, onProgress), copyLastChanges(context));
  } catch (error) {
    if (!(error instanceof BrokenTransfer)) throw error;
    await sendRest(context, images, { broken: error, onProgress });
  }
}

/** What does not know how much there is cannot say how long it will take. */
function withRest(progress: TransferProgress, totalBytes: number): TransferProgress {
  const { doneBytes, bytesPerSecond } = progress;
  if (progress.remainingMs !== undefined || bytesPerSecond === 0) return progress;
  return { ...progress, remainingMs: (1000 * Math.max(0, totalBytes - doneBytes)) / bytesPerSecond };
}

async function sendRest(
  context: StepContext,
  images: ImagesWanted,
  {
    broken,
    onProgress,
  }: { readonly broken: BrokenTransfer; readonly onProgress: (progress: TransferProgress) => void },
): Promise<void> {
  const { source, destination, signal, runDirectory, state } = context;
  // What waited for its turn on the old connection has ended with it.
  state.directoryTransfers = new Map();
  const deadline = performance.now() + RECONNECT_WITHIN_MS;
  while (!(await reopenDirectPath(source, runDirectory))) {
    if (performance.now() > deadline) throw broken;
    await sleep(RECONNECT_EVERY_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) throw stopError('aborted', { host: source.name, program: 'rsync' });
  }
  const rest = WaitingCopy.ofRest(
    { source, sshConfigFile: directPath(context), ...imagesPath(context) },
    { images, compression: compressionOf(context) },
  );
  await allOver(rest.send(signal, onProgress), copyLastChanges(context));
  context.warn(
    `The connection from ${source.name} to ${destination.name} broke (${broken.evidence || broken.message}). There is a new one, by which came what was left.`,
  );
}

/** Closes the source's end. Idempotent. */
export async function closeWay({ source, runDirectory, state }: StepContext): Promise<void> {
  const { imagesTransfer, directoryTransfers = new Map<string, WaitingCopy>() } = state;
  const waiting = [...directoryTransfers.values(), ...(imagesTransfer ? [imagesTransfer] : [])];
  await Promise.all(waiting.map((copy) => copy.cancel()));
  await closeDirectPath(source, runDirectory);
}

/** Takes the key away from the destination, with all else of the run there. Idempotent. */
export async function cleanUpArrival(context: StepContext): Promise<void> {
  const { destination, runDirectory, attemptId } = context;
  const what = 'Cleaning up';
  await finishStaging(context);
  await mustRunScript(destination, REVOKE_SCRIPT, [runDirectory, attemptId], { what });
  await mustRunScript(destination, REMOVE_RUN_DIRECTORY_SCRIPT, [runDirectory, ''], { what });
}

async function copyInTurn(context: StepContext, files: readonly FilePlan[], isFirst: boolean): Promise<void> {
  const { source, signal } = context;
  for (const { path } of files) await copyFiles({ source, ...wayOf(context, path) }, { isFirst, signal });
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
  const { source, signal, plan, state } = context;
  const waiting = state.directoryTransfers ?? new Map<string, WaitingCopy>();
  const others = plan.files.filter(({ path }) => !waiting.has(path));
  let mappings: SharedMappings = new Map();
  await allOver(
    sharedSinceFirstCopy(context).then((found) => {
      mappings = found;
    }),
    copyInTurn(context, others, false),
    ...[...waiting.values()].map((copy) => copy.send(signal)),
  );
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
  if (context.state.directPathConfig === undefined) throw new Error('transfer: not prepared');
  return context.state.directPathConfig;
}
