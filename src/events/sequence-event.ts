import type { FailureData, RunSummary } from './event.ts';
import type { PlanCheck } from './plan-check.ts';

/** One run of a sequence, as it was planned. */
export interface SequenceRunView {
  /** From 1, as `--from` takes it. */
  readonly number: number;
  /** What it does, for people. */
  readonly title: string;
  readonly source: string;
  readonly destination: string;
}

/** What has become of one run of a sequence. */
export type SequenceRunEnd = SequenceRunView &
  (
    | { readonly state: 'ended'; readonly summary: RunSummary }
    /** It could not begin, for want of a directory for example; or it ended by a bug, of code `BUG`. */
    | { readonly state: 'failed'; readonly failure: FailureData }
    /** It comes before the one with which the sequence was to begin. */
    | { readonly state: 'left-out' }
    | { readonly state: 'not-begun' }
  );

export interface SequenceSummary {
  readonly name: string;
  /**
   * `done`: every run ended well. `refused`: the checks refused one, or could not be finished, and none has begun. `stopped`: at
   * a run that did not end well, or before the next one.
   */
  readonly outcome: 'done' | 'refused' | 'stopped';
  /** What the process exits with: that of the run at which it stopped. */
  readonly exitCode: number;
  readonly runs: readonly SequenceRunEnd[];
  /** Only when it stopped. */
  readonly goOn?: GoOn;
}

/** How to go on with a sequence that stopped. The commands are for the machine on which criu-flow ran. */
export interface GoOn {
  /** The number of the run at which it stopped. */
  readonly run: number;
  /** What has become of its workload: where that is not known, a person looks first. */
  readonly workload: 'not-moved' | 'moved' | 'unknown';
  /** What is to be done about that run first, as its own summary has it. */
  readonly first: readonly string[];
  /** Begins with that run again. */
  readonly again?: string;
  /** Begins with the next one. */
  readonly next?: string;
}

/** What a sequence tells the world besides the events of its runs, which come in between. */
export type SequenceEvent =
  | {
      readonly kind: 'sequence-started';
      readonly name: string;
      /** The number of the first run that is done. */
      readonly from: number;
      readonly runs: readonly SequenceRunView[];
    }
  /** The hosts were asked what the preflight of a run asks. Nothing was touched. */
  | {
      readonly kind: 'sequence-run-checked';
      readonly number: number;
      readonly title: string;
      readonly check: PlanCheck;
    }
  | { readonly kind: 'sequence-run-started'; readonly number: number; readonly title: string }
  | { readonly kind: 'sequence-finished'; readonly summary: SequenceSummary };
