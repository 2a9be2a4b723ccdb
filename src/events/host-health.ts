import type { FailureData } from './event.ts';
import type { CheckFinding } from './plan-check.ts';

/** Whether hosts are ready for moves, and from which to which. */
export interface Health {
  readonly hosts: readonly HostHealth[];
  /** Each way between two of them that have criu. */
  readonly ways: readonly {
    readonly from: string;
    readonly to: string;
    /** What would make a move fail on that way, whatever is moved. */
    readonly findings: readonly CheckFinding[];
    /** Why that could not be told. */
    readonly failure?: FailureData;
  }[];
}

export interface HostHealth {
  readonly host: string;
  /** Why it could not be asked. */
  readonly failure?: FailureData;
  /** None of one that could not be asked. */
  readonly facts?: {
    /** As os-release(5) has it, for people. */
    readonly system: string;
    readonly kernel: string;
    /** Empty without criu. */
    readonly criuVersion: string;
    /** How much is free for images, in bytes. */
    readonly freeBytes: number;
    /** How memory that is written to between copies is found there. */
    readonly tracking: 'by the kernel' | 'by comparing' | 'none';
    /** Whether its memory can be fetched after the pause: of a destination. */
    readonly canFetchLater: boolean;
  };
  readonly findings: readonly CheckFinding[];
}
