import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { CriuHold, Task } from '../criu/hold.ts';
import type { FlowError } from '../errors/flow-error.ts';
import type {
  Compression,
  CompressionReport,
  Phase,
  PreCopyReport,
  PreCopyRound,
  StrategyReport,
} from '../events/event.ts';
import type { Host } from '../host/host.ts';
import type { Detour } from '../host/ssh-detour.ts';
import { type ActingStep, isPostCopied, isPreCopied, type Plan } from '../plan/plan.ts';
import type { StepResult, TemplateValues } from '../template/scope.ts';
import type { PageServer } from '../criu/page-server.ts';
import type { TransferProgress } from '../transfer/progress.ts';
import type { Relay } from '../transfer/relay.ts';
import type { WaitingCopy } from '../transfer/rsync.ts';
import type { TreeCopy } from '../transfer/tree-copy.ts';
import type { WorkloadFacts } from '../workload/facts.ts';
import type { SharedMappings } from '../workload/shared-mappings.ts';

/** What the steps of a run learn from each other. */
export interface RunState {
  workload?: WorkloadFacts;
  /** What is restored, of a plan that restores one. */
  checkpoint?: Checkpoint;
  /** The criu that holds the workload frozen on the source. */
  sourceHold?: CriuHold;
  /** What the dump has frozen: tasks that were forked since the workload was read are among them. */
  frozenTasks?: readonly Task[];
  /** The criu that holds the rebuilt workload on the destination. */
  destinationHold?: CriuHold;
  /** Set when the decision to end the source's copy was given: from then on there is no way back. */
  committed: boolean;
  /**
   * Nothing of the workload can run on the source any more: it was seen to have ended, or a person answers for a source that
   * is gone. Then the source need not be asked.
   */
  sourceHasEnded?: boolean;
  /** Why nothing of the workload could be brought back on the source: it ended there, and there are no whole images. */
  lostOnSource?: FlowError;
  /** The source answers, and only a person's word says that what it has is not to run again: it must hear that before. */
  isSourceToRelinquish?: boolean;
  /** Set by a rollback once the workload runs on at the source, or has ended there with nothing of it left anywhere else. */
  sourceIsSettled?: boolean;
  /** The controller's monotonic clock, in milliseconds, when the freeze was ordered. */
  frozenAtMs?: number;
  /** The same clock when a workload ran on after its checkpoint was taken, which is kept only after that. */
  resumedAtMs?: number;
  /** The same clock when the destination's release was confirmed, or the checkpoint was kept. */
  releasedAtMs?: number;
  imageBytes?: number;
  /** Milliseconds that criu itself took, ten at a time: from the freeze until all was written, and until all was rebuilt. */
  criuMs?: { readonly dump?: number; readonly restore?: number };
  /** On 127.0.0.1 of both hosts, when the memory is streamed, or is fetched after the commit. */
  pageServerPort?: number;
  pageServer?: PageServer;
  /** Set when the destination's restore began: its files and address may have changed. */
  restoreBegan: boolean;
  /** Noting on the destination that all images have come: begun when they had, and awaited by the restore, so that it costs no time. */
  arrivalNoted?: Promise<void>;
  /** SHA-256 digests of the images on the source, which are read while they travel. */
  dumpedImages?: Promise<string>;
  /** Waits until there are images. */
  imagesTransfer?: WaitingCopy;
  /** Wait for what changes in the plan's directories, by their paths. */
  directoryTransfers?: ReadonlyMap<string, WaitingCopy>;
  /** Brings a round of images to the destination while the workload runs; undefined where it sees them anyway. */
  carryRound?: CarryDirectory;
  /** The same for a directory that will not stay, to see how long it takes. */
  carryProbe?: CarryDirectory;
  /** Copies the files once more while the workload runs; undefined when there are none. */
  copyFilesAgain?: (context: StepContext) => Promise<void>;
  /** How images travel, where that can be chosen. */
  compression?: CompressionReport;
  /** Which strategy was chosen, and why. */
  strategy?: StrategyReport;
  /** Whether the kernel of the source tracks what memory is written to, of a run that may copy it in rounds. */
  isTracked?: boolean;
  /** Copies of the memory while the workload runs. */
  rounds?: PreCopyRound[];
  /** What came of them. */
  preCopy?: PreCopyReport;
  /** Milliseconds from the release until all of the memory had come that was fetched after it. */
  fetchMs?: number;
  /** By which the source reaches the destination when it cannot by itself. Closed at the end of the run, however that comes. */
  detour?: Detour;
  /** Through this machine, when files go by SFTP. Closed at the end of the run, however that comes. */
  relay?: Relay;
  /** Of the images, and of the plan's files in their order. */
  relayed?: { readonly images?: TreeCopy; readonly files: readonly TreeCopy[] };
  /** Which of the plan's files the workload had mapped shared around their first copy. */
  sharedMappings?: SharedMappings;
  /** The paths of the plan's files that are directories. */
  directories?: ReadonlySet<string>;
  /** The ssh_config on the source with which it reaches the destination. */
  directPathConfig?: string;
}

/** Brings a directory below that of the images to the destination, and what is in it. */
export type CarryDirectory = (
  name: string,
  options: {
    /** Of its files. */
    readonly sizeBytes: number;
    readonly signal: AbortSignal;
    readonly onProgress: (progress: TransferProgress) => void;
    /** Where that can be chosen. @default what was chosen for the images */
    readonly compression?: Compression;
  },
) => Promise<void>;

/** What a step may use. */
export interface StepContext {
  readonly plan: Plan;
  /** Names the things of this attempt on the hosts: what a late command of an earlier one does finds none of them. */
  readonly attemptId: string;
  readonly source: Host;
  readonly destination: Host;
  readonly local: Host;
  /** The run's directory on both hosts, mode 0700. */
  readonly runDirectory: string;
  /** Another file than ~/.ssh/config, when the user named one. */
  readonly sshConfigFile: string | undefined;
  readonly keepImages: boolean;
  readonly state: RunState;
  /** Aborts when the run is interrupted or the step's time is over. */
  readonly signal: AbortSignal;
  /** Says what the step does right now. */
  readonly detail: (text: string) => void;
  readonly progress: (progress: TransferProgress, totalBytes: number) => void;
  /** For things a person should know although the step succeeded. */
  readonly warn: (text: string) => void;
  readonly phase: (phase: Phase) => void;
  /** Puts facts of the workload in the place of those that no longer hold, in the journal too. */
  readonly remember: (workload: WorkloadFacts) => void;
  /** What templates read that are rendered only now: inputs with secrets among them, and results. */
  readonly values: () => TemplateValues;
  /** Keeps the result of a step for later ones. */
  readonly register: (name: string, result: StepResult) => void;
  /** Does all that can be done before the freeze, of every step. @returns which strategy was chosen, if one was */
  readonly prepareSteps: () => Promise<string | undefined>;
  /** Tells the world that people are asked whether the run may go on. */
  readonly askForApproval: (
    stepId: string,
    question: {
      readonly message: string;
      readonly by: readonly string[];
      readonly approvals: number;
      readonly expiresAt: string;
    },
  ) => void;
  /** What people have answered to a step, one answer of each. */
  readonly readAnswers: (
    stepId: string,
  ) => readonly { readonly by: string; readonly isApproved: boolean; readonly reason?: string }[];
  /** Waits until somebody may have answered, at most so long. */
  readonly untilAnswered: (stepId: string, timeoutMs: number, signal: AbortSignal) => Promise<void>;
  /** Keeps a text with the run, for example a log of criu. */
  readonly keep: (name: string, content: string) => void;
}

/** Something with an effect, and how to take it back. */
export interface Action {
  /** @returns a few words for the report. */
  readonly run: (context: StepContext, step: ActingStep) => Promise<string | undefined>;
  /**
   * Takes back what `run` did, wholly or in part: it looks at the host for the truth and is idempotent. Its signal
   * is a fresh one.
   */
  readonly undo?: {
    readonly title: string;
    /** The same when a checkpoint is restored: there is no source then. @default the same */
    readonly restoreTitle?: string;
    readonly run: (context: StepContext, step: ActingStep) => Promise<void>;
  };
}

export interface CleanUp {
  /** Where. After one that failed, no other is tried on that host: it could remove what this one needs when it is tried again. */
  readonly on: 'source' | 'destination';
  readonly run: (context: StepContext) => Promise<void>;
}

/** The implementation of one `uses`. */
export interface StepType {
  /** Milliseconds that the step may take unless the recipe says otherwise. */
  readonly timeoutMs: number;
  /** Done for all steps before the freeze: whatever need not be inside the pause. */
  readonly prepare?: Action;
  /** Done for all steps after that, once it is known how the memory is to move. Whoever takes `prepare` and `main` back takes it back, too. */
  readonly arm?: (context: StepContext) => Promise<void>;
  readonly main: Action;
  /** Take the scaffolding down after the run, however it ended, each on one host. Idempotent. */
  readonly cleanUps?: readonly CleanUp[];
}

/** The images' directory, the same path on both hosts. */
export function imagesDirectory(context: Pick<StepContext, 'runDirectory'>): string {
  return `${context.runDirectory}/images`;
}

/** How much memory the workload had when it was read. */
export function memoryBytesOf({ workload }: Pick<RunState, 'workload'>): number {
  return workload?.processes.reduce((sum, process) => sum + process.memoryBytes, 0) ?? 0;
}

/** How much memory of each process may have to be copied in the pause, where that is known beforehand. */
export function bytesInPause({ plan, state }: Pick<StepContext, 'plan' | 'state'>): readonly number[] {
  return isPreCopied(plan) || isPostCopied(plan)
    ? []
    : (state.workload?.processes ?? []).map(({ memoryBytes }) => memoryBytes);
}
