/** The plan: what a recipe becomes once inputs are known. Plain JSON, ordered, with a digest. No host was asked. */
export interface Plan {
  readonly version: 1;
  /** The recipe's name, for people. */
  readonly name: string;
  /** The recipe's file, for messages. */
  readonly file: string;
  readonly source: string;
  readonly destination: string;
  readonly workload: WorkloadSelector;
  readonly network: NetworkPlan;
  readonly files: readonly FilePlan[];
  readonly objectives: { readonly downtimeMs?: number };
  readonly steps: readonly PlanStep[];
  /** sha256 (hex) over everything above, in canonical JSON. */
  readonly digest: string;
}

/** How to find the root process of the workload on the source. */
export type WorkloadSelector =
  | { readonly kind: 'pid'; readonly pid: number }
  | { readonly kind: 'pid-file'; readonly path: string }
  | { readonly kind: 'unit'; readonly unit: string }
  | { readonly kind: 'executable'; readonly path: string; readonly arguments?: readonly string[] };

export interface NetworkPlan {
  /**
   * What happens to established TCP connections: `keep` moves them (`criu --tcp-established`), `close` lets the
   * workload see them closed (`criu --tcp-close`), `refuse` refuses to move a workload that has any.
   */
  readonly connections: 'keep' | 'close' | 'refuse';
  /** The service address that moves with the workload, for example `10.0.0.9/24` on `eth0`. */
  readonly address?: { readonly cidr: string; readonly device: string };
}

/** A file or directory that moves with the workload. */
export interface FilePlan {
  readonly path: string;
}

interface PlanStepBase {
  /** Unique in the plan: position from 1 and type, for example `3-transfer`. */
  readonly id: string;
  readonly title: string;
  /** Milliseconds that the step may take; the built-in default of the step type otherwise. */
  readonly timeoutMs?: number;
  /** Commands that run, in order, when the run is rolled back after this step began. */
  readonly rollback: readonly CommandSpec[];
}

export interface CommandSpec {
  readonly on: 'source' | 'destination' | 'local';
  readonly argv: readonly [string, ...string[]];
}

/** One question that `verify` asks. */
export type Check =
  | {
      readonly kind: 'http';
      readonly url: string;
      readonly status: number;
      readonly timeoutMs: number;
      readonly from: 'source' | 'destination' | 'local';
    }
  | {
      readonly kind: 'tcp';
      readonly address: string;
      readonly port: number;
      readonly timeoutMs: number;
      readonly from: 'source' | 'destination' | 'local';
    }
  /** Passes when the command exits 0. */
  | (CommandSpec & { readonly kind: 'command'; readonly timeoutMs: number });

/** `commit` is added after `restore` when a recipe does not name it. */
export type PlanStep =
  | (PlanStepBase & { readonly uses: 'preflight' | 'dump' | 'transfer/rsync' | 'restore' | 'commit' })
  | (PlanStepBase & { readonly uses: 'verify'; readonly checks: readonly Check[] })
  | (PlanStepBase & CommandSpec & { readonly uses: 'command' });
