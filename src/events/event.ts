import type { ErrorCode } from '../errors/flow-error.ts';
import type { StepResult } from '../template/scope.ts';

/** A failure as plain data, so that it can be journalled and replayed. */
export interface FailureData {
  readonly code: ErrorCode | 'BUG';
  readonly message: string;
  readonly hint?: string;
  readonly command?: string;
  readonly host?: string;
  readonly evidence?: string;
  readonly location?: { readonly file: string; readonly line: number; readonly column: number };
  /** Only for code BUG. */
  readonly stack?: string;
}

/** Where the workload is alive when the run ends. */
export type WorkloadLocation = 'source' | 'destination' | 'nowhere' | 'unknown';

/** What a run was for. */
export type RunKind = 'move' | 'checkpoint' | 'restore';

export type RunOutcome =
  /** It runs on the destination, and everything that the recipe asked for holds. */
  | 'done'
  /** Refused before anything was touched. */
  | 'refused'
  /** Failed, and everything was put back. */
  | 'rolled-back'
  /** Failed, and an undo failed too: a person is needed. */
  | 'rollback-incomplete'
  /** Another controller has taken the run up: what becomes of it is told there. */
  | 'superseded'
  /** Another run has this workload, or its process ids: this one could not be taken up. */
  | 'locked'
  /** It runs on the destination, but an objective or a check was missed. */
  | 'moved-but-missed';

/** One step of the plan as reporters show it. */
export interface StepView {
  /** Unique in the run, for example `3-transfer`. */
  readonly id: string;
  /** The step type, for example `transfer/rsync`. */
  readonly uses: string;
  /** For people, for example `Transfer the images with rsync`. */
  readonly title: string;
}

/** The phases of the safe protocol, in order; `keep`, of a checkpoint, is that in which the workload runs on already. */
export type Phase =
  'prepare' | 'freeze' | 'transfer' | 'restore' | 'commit' | 'release' | 'keep' | 'verify' | 'clean-up';

/** What was seen of a probe that was asked over and over. */
export interface ProbeReport {
  readonly probe: string;
  readonly asked: number;
  readonly failed: number;
  /** Milliseconds of the longest time without a good answer, as a client sees it. */
  readonly longestOutageMs: number;
  /** The longest that was acceptable, when the recipe says so. */
  readonly outageMs?: number;
}

/** How the memory was copied while the workload ran. */
export interface PreCopyReport {
  /** The kernel did not track what was written to: the memory was compared with the round before, and the dump with all of them. */
  readonly isCompared?: true;
  readonly rounds: readonly PreCopyRound[];
  /**
   * Why there was but one more round: `objective`, the pause could be expected to be as short as it is to be; `nothing-left` to copy;
   * `no-progress`, the workload writes as fast as is copied; `no-room`, a disk was too full for more; `limit`, no more were allowed.
   */
  readonly stoppedBy: 'objective' | 'nothing-left' | 'no-progress' | 'no-room' | 'limit';
  /** Milliseconds: how long the pause was expected to be after the last round, when it grows with what is left. */
  readonly expectedDowntimeMs?: number;
}

export interface PreCopyRound {
  /** Of the memory in it. */
  readonly sizeBytes: number;
  /** Milliseconds that criu took to write it, in a part of which the workload stands still. */
  readonly dumpMs: number;
  /** Milliseconds that it took to bring it to the destination. */
  readonly sendMs: number;
}

export type Compression = 'none' | 'lz4' | 'zstd';

/** How the images were compressed on their way, where rsync can do that. */
export interface CompressionReport {
  readonly chosen: Compression;
  /** Bytes of memory that reached the destination in a second, of each that was tried. */
  readonly bytesPerSecond: Readonly<Partial<Record<Compression, number>>>;
  /** Why none was tried. */
  readonly unmeasured?: string;
}

/** What `strategy: auto` has measured before the freeze, and what it has made of that. */
export interface StrategyReport {
  readonly chosen: Strategy;
  /** Milliseconds: how long the pause was expected to be. */
  readonly expectedMs?: number;
  /** Not there when it could not be measured, which a warning tells of. */
  readonly measured?: MeasuredWorkload;
  /** Of all strategies that the recipe allows, the simplest first. */
  readonly estimates: readonly StrategyEstimate[];
}

export interface MeasuredWorkload {
  /** Memory that its processes have for themselves. */
  readonly privateBytes: number;
  /** Memory that they can share with each other and with others, files apart. */
  readonly sharedBytes: number;
  readonly hugePagesBytes: number;
  /** By the time, the shortest first: how many bytes of the first had another content by then. */
  readonly changed: readonly { readonly withinMs: number; readonly sizeBytes: number }[];
  /** Of memory that reached the destination in a second, as the images are carried. */
  readonly bytesPerSecond: number;
  /** Whether the kernel of the source tracks what is written to: else the memory is compared. */
  readonly isTracked: boolean;
}

export type Strategy = 'stop-and-copy' | 'pre-copy' | 'post-copy';

export interface StrategyEstimate {
  readonly strategy: Strategy;
  /** Milliseconds. Without it, {@link impossible} says why. */
  readonly pauseMs?: number;
  readonly impossible?: string;
}

export interface RunSummary {
  readonly runId: string;
  readonly kind: RunKind;
  readonly outcome: RunOutcome;
  /** What the process exits with; see docs/exit-codes.md. */
  readonly exitCode: number;
  readonly workloadIsOn: WorkloadLocation;
  readonly workload?: { readonly pid: number; readonly command: string; readonly processes: number };
  readonly source: string;
  readonly destination: string;
  /** Image bytes that were moved while the workload was frozen. */
  readonly imageBytes?: number;
  /**
   * Milliseconds from the order to freeze until the destination's release was confirmed, on the controller's
   * clock: an upper bound of the downtime.
   */
  readonly downtimeMs?: number;
  /** Of these, what criu itself took, ten at a time: from the freeze until all was written, and until all was rebuilt. */
  readonly criuMs?: { readonly dump?: number; readonly restore?: number };
  readonly downtimeObjectiveMs?: number;
  /** With `strategy: auto`. */
  readonly strategy?: StrategyReport;
  readonly preCopy?: PreCopyReport;
  /** Of the images, where the transfer can compress. */
  readonly compression?: CompressionReport;
  /** Milliseconds after its release in which the workload on the destination had not all of its memory yet. */
  readonly fetchMs?: number;
  /** Milliseconds spent in each phase. */
  readonly phasesMs: Partial<Record<Phase, number>>;
  readonly durationMs: number;
  /** What the probes of the recipe's `checks.during` have seen. */
  readonly probes?: readonly ProbeReport[];
  /** What went wrong first. */
  readonly failure?: FailureData;
  /** What went wrong after that, while putting things back for example. */
  readonly undoFailures: readonly FailureData[];
  /** Things a person should know although the run ended as it should. */
  readonly warnings: readonly string[];
  /** Only when a person is needed. */
  readonly toDo?: ToDo;
  readonly runDirectory: string;
}

/** Commands to paste into a shell of the machine on which criu-flow ran, in their order. */
export interface ToDo {
  /** These change nothing. */
  readonly look: readonly string[];
  readonly mend: readonly string[];
}

/** Everything that a run tells the world. Reporters are functions of these and of nothing else. */
export type FlowEvent =
  | {
      readonly kind: 'run-started';
      readonly runId: string;
      readonly runKind: RunKind;
      readonly recipe: string;
      readonly source: string;
      readonly destination: string;
      readonly steps: readonly StepView[];
    }
  | { readonly kind: 'phase-started'; readonly phase: Phase }
  | { readonly kind: 'step-started'; readonly stepId: string }
  /** What the step does right now, in a few words. */
  | { readonly kind: 'step-detail'; readonly stepId: string; readonly text: string }
  | {
      readonly kind: 'step-progress';
      readonly stepId: string;
      readonly doneBytes: number;
      readonly totalBytes: number;
      readonly bytesPerSecond: number;
      readonly remainingMs: number | undefined;
    }
  | {
      readonly kind: 'step-finished';
      readonly stepId: string;
      readonly durationMs: number;
      readonly result:
        | { readonly status: 'done'; readonly text?: string }
        /** Its condition did not hold, or nothing failed that it rescues. It has not been started. */
        | { readonly status: 'skipped' }
        | { readonly status: 'failed'; readonly failure: FailureData };
    }
  /** A block came to its end. */
  | { readonly kind: 'block-finished'; readonly stepId: string }
  /** From here on the run is one with that strategy. */
  | { readonly kind: 'strategy-chosen'; readonly report: StrategyReport }
  /** What a step leaves for later ones. */
  | { readonly kind: 'result-registered'; readonly name: string; readonly result: StepResult }
  /** A step waits for people; `expiresAt` is ISO 8601. */
  | {
      readonly kind: 'approval-awaited';
      readonly stepId: string;
      readonly message: string;
      readonly by: readonly string[];
      readonly approvals: number;
      readonly expiresAt: string;
    }
  | { readonly kind: 'warning'; readonly text: string }
  /** Rolling back began; `actions` are the undos in the order in which they will run. */
  | { readonly kind: 'rollback-started'; readonly reason: FailureData; readonly actions: readonly string[] }
  | { readonly kind: 'undo-started'; readonly action: string }
  | {
      readonly kind: 'undo-finished';
      /** Unique in the run: two undos may have the same words. */
      readonly undoId: string;
      readonly action: string;
      readonly durationMs: number;
      readonly failure?: FailureData;
    }
  | { readonly kind: 'run-finished'; readonly summary: RunSummary };

/** Takes events as they happen. Must not throw and must not wait. */
export type EmitEvent = (event: FlowEvent) => void;
