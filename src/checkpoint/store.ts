import { FlowError } from '../errors/flow-error.ts';
import { commandOn } from '../host/command-on.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import type { CheckpointSelector, CheckpointStep, RevertSelector } from '../plan/plan.ts';
import { type Checkpoint, type CheckpointRecord, parseRecord } from './checkpoint.ts';
import type { WorkloadFacts } from '../workload/facts.ts';
import {
  CHECKPOINTS_DIRECTORY,
  KEEP_SCRIPT,
  MARK_MOVED_SCRIPT,
  READ_SCRIPT,
  REMOVE_SERIES_SCRIPT,
  TAKE_SCRIPT,
  TWINS_SCRIPT,
} from './store-scripts.ts';

/** Milliseconds for what writes gigabytes to a disk. */
const TIMEOUT_MS = 3_600_000;

/** The directory of a series of checkpoints on its host. */
export function seriesDirectory(series: string): string {
  return `${CHECKPOINTS_DIRECTORY}/${series}`;
}

/** What became of a series when another checkpoint was kept. */
export interface Kept {
  readonly id: number;
  /** How many there are, with it. */
  readonly count: number;
  readonly removed: number;
}

/** Makes what a run has dumped the last checkpoint of its series, and removes old ones. It is on the disk when this ends. */
export async function keepCheckpoint(
  host: Host,
  runDirectory: string,
  { series, keep, maxAgeMs }: Pick<CheckpointStep, 'series' | 'keep' | 'maxAgeMs'>,
  record: CheckpointRecord,
  signal: AbortSignal,
): Promise<Kept> {
  const seconds = maxAgeMs === undefined ? '' : String(Math.ceil(maxAgeMs / 1000));
  const text = JSON.stringify(record);
  const { stdout } = await mustRunScript(
    host,
    KEEP_SCRIPT,
    [
      ...[seriesDirectory(series), runDirectory, String(keep), seconds],
      ...[rootOf(record.workload), String(Buffer.byteLength(text))],
    ],
    { what: 'Keeping the checkpoint', stdin: text, timeoutMs: TIMEOUT_MS, signal },
  );
  const [id, count, removed] = stdout.trim().split(' ').map(Number);
  if (id === undefined || count === undefined || removed === undefined)
    throw new Error(`an answer of the keep script: ${stdout}`);
  return { id, count, removed };
}

/**
 * The checkpoint that a selector names.
 * @throws FlowError CHECKPOINT_NOT_FOUND, with those that there are; CHECKPOINT_UNREADABLE
 */
export async function readCheckpoint(
  host: Host,
  { series, id }: CheckpointSelector | RevertSelector,
): Promise<Checkpoint> {
  const parent = seriesDirectory(series);
  const result = await mustRunScript(host, READ_SCRIPT, [parent, String(id)], {
    what: 'Reading the checkpoint',
    allow: [3],
  });
  if (result.exitCode === 3) throw notFound(host, series, id, result.stdout.trim());
  const [, found = '', place, boots, ended, movedTo = '', record = ''] =
    /^(\d+) (\w+) (\w+) (\w+)\n(.*)\n([^]*)$/.exec(result.stdout) ?? [];
  const directory = `${parent}/${found}`;
  return {
    ...parseRecord(record, directory, host.name),
    ...{ series, id: Number(found), directory },
    isOfThisHost: place === 'here',
    isOfThisBoot: place === 'here' && boots === 'same',
    hasEnded: ended === 'ended',
    ...(movedTo === '' ? {} : { movedTo }),
  };
}

/** Says beside the checkpoints of a workload that it has moved away. */
export async function markMoved(host: Host, workload: WorkloadFacts, destination: string): Promise<void> {
  await mustRunScript(host, MARK_MOVED_SCRIPT, [CHECKPOINTS_DIRECTORY, rootOf(workload), destination], {
    what: 'Marking the checkpoints of the workload',
  });
}

/** Removes all checkpoints of a series. Idempotent. */
export async function removeSeries(host: Host, series: string): Promise<void> {
  await mustRunScript(host, REMOVE_SERIES_SCRIPT, [seriesDirectory(series)], {
    what: 'Removing the checkpoints',
    timeoutMs: TIMEOUT_MS,
  });
}

/** The processes there that have the program and the command line of a workload's root process. */
export async function findTwins(host: Host, { processes }: WorkloadFacts): Promise<readonly number[]> {
  const [root] = processes;
  if (!root) return [];
  const { stdout } = await mustRunScript(host, TWINS_SCRIPT, [root.executable, root.command], {
    what: 'Looking for the workload',
  });
  return stdout.split('\n').filter(Boolean).map(Number);
}

/** What tells the root process from others of the same boot. */
function rootOf({ rootPid, processes }: WorkloadFacts): string {
  return `${rootPid} ${processes[0]?.startTicks ?? 0}`;
}

/** Puts its images into the directory of a run there. @returns their digests as they were when it was kept */
export async function takeImages(
  host: Host,
  { directory }: Checkpoint,
  runDirectory: string,
  signal: AbortSignal,
): Promise<string> {
  const { stdout } = await mustRunScript(host, TAKE_SCRIPT, [directory, runDirectory], {
    what: 'Taking the images of the checkpoint',
    timeoutMs: TIMEOUT_MS,
    signal,
  });
  return stdout;
}

function notFound(host: Host, series: string, id: 'latest' | number, others: string): FlowError {
  const message =
    others === ''
      ? `There is no checkpoint of ${series} on ${host.name}`
      : `There is no checkpoint ${id} of ${series} on ${host.name}; there are ${others.split(' ').join(', ')}`;
  return new FlowError('CHECKPOINT_NOT_FOUND', message, {
    host: host.name,
    hint: 'Nothing was touched. A checkpoint is on the host on which it was kept.',
    command: commandOn(host, ['ls', '-l', others === '' ? CHECKPOINTS_DIRECTORY : seriesDirectory(series)]),
  });
}
