import { FlowError } from '../errors/flow-error.ts';
import type { FilePlan } from '../plan/plan.ts';
import type { WorkloadFacts } from '../workload/facts.ts';

/** A file or directory of the workload as a checkpoint has it. */
export interface CheckpointFile extends FilePlan {
  readonly isDirectory: boolean;
}

/** What is written down beside the images of a checkpoint: plain JSON, in `checkpoint.json`. */
export interface CheckpointRecord {
  readonly version: 1;
  /** The run that kept it, and when, by the clock of its controller. */
  readonly runId: string;
  readonly createdAt: string;
  readonly workload: WorkloadFacts;
  /** What was frozen: each with the pid that it will have again. */
  readonly tasks: readonly { readonly pid: number; readonly startTicks: number }[];
  /** In the order of the copies in `files/1`, `files/2` and so on. */
  readonly files: readonly CheckpointFile[];
}

/** A checkpoint on a host. */
export interface Checkpoint extends CheckpointRecord {
  readonly series: string;
  readonly id: number;
  readonly directory: string;
  /** It was kept on this host. */
  readonly isOfThisHost: boolean;
  /** And since its last boot: start times tell its processes from others. */
  readonly isOfThisBoot: boolean;
  /** Where its workload has moved to since. */
  readonly movedTo?: string;
  /** A person answers for it that its workload has ended, wherever it ran. */
  readonly hasEnded: boolean;
}

/** Reads a record that a host has. @throws FlowError CHECKPOINT_UNREADABLE when it is none, or of another version */
export function parseRecord(text: string, directory: string, host: string): CheckpointRecord {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    data = undefined;
  }
  if (isRecord(data)) return data;
  throw new FlowError('CHECKPOINT_UNREADABLE', `${directory} on ${host} has no record that can be read`, {
    host,
    hint: 'It was kept by another version of criu-flow, or its disk is damaged. Restore an earlier one: `workload: { checkpoint: { series, id } }`.',
  });
}

/** The shape of it: what a pid is used for must be a number, and a path a text. */
function isRecord(data: unknown): data is CheckpointRecord {
  if (!isObject(data) || data['version'] !== 1 || !isObject(data['workload'])) return false;
  const { rootPid, processes, files } = data['workload'];
  return (
    Number.isInteger(rootPid) &&
    isListOf(processes, (each) => isWithPid(each) && isListOf(each['threads'], Number.isInteger)) &&
    isListOf(files, isWithPath) &&
    isListOf(data['tasks'], isWithPid) &&
    isListOf(data['files'], isWithPath)
  );
}

function isListOf(list: unknown, isItem: (item: unknown) => boolean): boolean {
  return Array.isArray(list) && list.every(isItem);
}

function isWithPid(item: unknown): item is Record<string, unknown> {
  return isObject(item) && Number.isInteger(item['pid']);
}

function isWithPath(item: unknown): boolean {
  return isObject(item) && typeof item['path'] === 'string';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
