import type { FailureData } from './event.ts';

/** What the hosts say of a plan. */
export interface PlanCheck {
  /** What would make the run fail, the worst first. */
  readonly findings: readonly CheckFinding[];
  /** The same of what the recipe goes past. */
  readonly allowed: readonly CheckFinding[];
  /** Why they could not be asked, or which workload is not there. */
  readonly failure?: FailureData;
  /** The workload, when it was found. */
  readonly workload?: {
    readonly pid: number;
    readonly command: string;
    readonly processes: number;
    readonly memoryBytes: number;
  };
  /** What a run ends with that its preflight refuses; 0 when it would not. */
  readonly exitCode: number;
}

/** Something on a host that makes a move fail. */
export interface CheckFinding {
  /** What `criu-flow explain` explains, and `allow` of `preflight` takes. */
  readonly code: string;
  readonly host: string;
  readonly message: string;
  /** What to do about it. */
  readonly remedy: string;
  /** A command to paste. */
  readonly command?: string;
}
