import type { Strategy } from '../events/event.ts';
import type { RecipeKind } from '../recipe/kind-findings.ts';
import type { TemplateValue } from '../template/filters.ts';

/** The plan: what a recipe becomes once inputs are known. Plain JSON, ordered, with a digest. No host was asked. */
export interface Plan {
  readonly version: 1;
  /** Of a checkpoint and of its restore the source and the destination are one host. */
  readonly kind: RecipeKind;
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
  /** How the memory moves is chosen while the run prepares: of what only some strategies do, nothing is done before that. */
  readonly strategy?: 'auto';
  /** Commands that run, in order, as the last of a rollback. */
  readonly rollback: readonly CommandSpec[];
  /** Commands that run at the end, however the run ended. */
  readonly always: readonly CommandStep[];
  /** What becomes of the workload when one of {@link steps} fails after the commit. */
  readonly onFailure: 'keep' | 'migrate-back' | 'revert';
  /** It takes a workload back to where another run has moved it from. */
  readonly isBack?: true;
  /** Probes that are asked over and over, from before the freeze to the end of the steps. */
  readonly watches: readonly WatchPlan[];
  /**
   * The values of the inputs, but of secrets: for what is {@link Late}, and for whoever reads the plan. Those of a recipe that is
   * used begin with the number of its step and a slash.
   */
  readonly inputs: Readonly<Record<string, TemplateValue>>;
  readonly secrets: Readonly<Record<string, SecretSource>>;
  /** sha256 (hex) over everything above, in canonical JSON. */
  readonly digest: string;
}

/** What a sequence becomes once its inputs are known: runs that are done one after another. Plain JSON. No host was asked. */
export interface SequencePlan {
  readonly version: 1;
  readonly kind: 'sequence';
  /** The name of the sequence, for people. */
  readonly name: string;
  /** Its file, for messages. */
  readonly file: string;
  /** Those whose `if` is false are not among them. */
  readonly runs: readonly SequencePlanRun[];
  /** sha256 (hex) over everything above, in canonical JSON. */
  readonly digest: string;
}

export interface SequencePlanRun {
  /** What it does, for people. */
  readonly title: string;
  /** As if its recipe was run by itself with the inputs that it is given. */
  readonly plan: Plan;
}

/** What moves: a process that runs on the source, or a checkpoint that is on the destination. */
export type WorkloadSelector = ProcessSelector | CheckpointSelector | RevertSelector;

/** How to find the root process of the workload. */
export type ProcessSelector =
  | { readonly kind: 'pid'; readonly pid: number }
  | { readonly kind: 'pid-file'; readonly path: string }
  | { readonly kind: 'unit'; readonly unit: string }
  | { readonly kind: 'executable'; readonly path: string; readonly arguments?: readonly string[] };

export interface CheckpointSelector {
  readonly kind: 'checkpoint';
  readonly series: string;
  readonly id: 'latest' | number;
}

/** A checkpoint on the destination, in the place of what runs on the source: only a run that failed makes a plan of one. */
export interface RevertSelector {
  readonly kind: 'revert';
  readonly series: string;
  readonly id: number;
  /** The boot of the source in which it moved there: after another one nothing of it can be alive. */
  readonly boot: string;
  /** The root process on the source, by its start time (field 22 of proc_pid_stat(5)), if it had not ended. */
  readonly replaces?: { readonly pid: number; readonly startTicks: number };
}

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

/**
 * A text that is known only while the run runs, because its template reads the result of an earlier step or a secret.
 * Whoever needs it renders it then; it is never written down.
 */
export interface Late {
  readonly template: string;
  /** Of a recipe that is used: it reads the inputs, secrets and results whose names begin with this and a slash, as its own. */
  readonly scope?: string;
  /** Of the step's `forEach`. */
  readonly item?: string;
}

export type PlanText = string | Late;

interface PlanStepBase {
  /** Unique in the plan: position from 1 and type, for example `3-transfer`; in a block `4.1-command`. */
  readonly id: string;
  readonly title: string;
  /** Whether it is done: `false` is known already, what is {@link Late} is asked when its turn comes. @default true */
  readonly when?: false | Late;
  /** Milliseconds that the step may take; the built-in default of the step type otherwise. */
  readonly timeoutMs?: number;
  /** Commands that run, in order, when the run is rolled back after this step began. */
  readonly rollback: readonly CommandSpec[];
}

export interface CommandSpec {
  readonly on: 'source' | 'destination' | 'local';
  readonly argv: readonly [string, ...PlanText[]];
  /** Variables that it gets besides its own. */
  readonly env?: Readonly<Record<string, PlanText>>;
  readonly stdin?: PlanText;
}

/** Where the value of a secret input is read, on the machine that runs criu-flow. */
export type SecretSource =
  { readonly env: string } | { readonly file: string } | { readonly command: readonly [string, ...string[]] };

/** How often a step is tried, and the waits in between: each is the last one times `backoff`, at most `maxDelayMs`. */
export interface RetryPolicy {
  readonly attempts: number;
  readonly delayMs: number;
  readonly backoff: number;
  readonly maxDelayMs: number;
}

/** One question that is asked of the workload, and which answers will do. */
export type Check = {
  /** The name of the probe that it is. */
  readonly probe?: string;
  /** Milliseconds that it may take until it passes. */
  readonly timeoutMs: number;
} & (HttpCheck | TcpCheck | CommandCheck);

interface HttpCheck {
  readonly kind: 'http';
  readonly url: string;
  readonly statuses: readonly number[];
  /** A pattern that must match somewhere in the first 64 KiB of the body. */
  readonly body?: string;
  /** Milliseconds that a good answer takes at most. */
  readonly withinMs?: number;
  readonly from: 'source' | 'destination' | 'local';
}

interface TcpCheck {
  readonly kind: 'tcp';
  readonly address: string;
  readonly port: number;
  readonly withinMs?: number;
  readonly from: 'source' | 'destination' | 'local';
}

interface CommandCheck extends CommandSpec {
  readonly kind: 'command';
  /** @default only 0 */
  readonly exitCodes?: readonly number[];
  /** A pattern that must match somewhere in what it prints. */
  readonly stdout?: string;
}

/** A probe that is asked over and over. */
export interface WatchPlan {
  readonly probe: string;
  readonly check: Check;
  readonly everyMs: number;
  /** The longest time without a good answer, in milliseconds; it is only measured when left out. */
  readonly outageMs?: number;
}

/** Who must agree before the run goes on. */
export interface Approval {
  readonly message: string;
  /** Login names; anybody when empty. */
  readonly by: readonly string[];
  /** How many different people. */
  readonly approvals: number;
  readonly expiresMs: number;
}

/** Images that are copied. */
export type CopyStep = PlanStepBase & {
  readonly uses: 'transfer/rsync' | 'transfer/sftp' | 'transfer/stream';
  /** Bytes that are sent in a second at most. @default no limit */
  readonly bandwidthLimit?: number;
};

/** Images in a directory that both hosts see. */
export type TransferSharedStep = PlanStepBase & {
  readonly uses: 'transfer/shared';
  readonly directory: string;
};

/** Copies of the memory while the workload runs. Added before a `dump` with that strategy, or that may come to it. */
export type PreCopyStep = PlanStepBase & {
  readonly uses: 'pre-copy';
  /** How many at most. */
  readonly rounds: number;
};

export type CheckpointStep = PlanStepBase & {
  readonly uses: 'checkpoint';
  readonly series: string;
  /** How many of them stay at most. */
  readonly keep: number;
  /** How old those before it may be, in milliseconds. @default any age */
  readonly maxAgeMs?: number;
};

export type CommandStep = PlanStepBase &
  CommandSpec & {
    readonly uses: 'command';
    /** The name under which later steps read its result. */
    readonly register?: string;
    readonly retry?: RetryPolicy;
    /** With which it has done well. @default only 0 */
    readonly exitCodes?: readonly number[];
    /** Why it has no undo. */
    readonly irreversible?: string;
    readonly readOnly?: true;
  };

/** Steps that stand together. Each list is run in order. */
export type BlockStep = PlanStepBase & {
  readonly uses: 'block';
  readonly steps: readonly PlanStep[];
  /** Run when one of the steps fails; when they come to their end, the failure is over. */
  readonly rescue: readonly PlanStep[];
  /** Run at the end in any case. */
  readonly always: readonly PlanStep[];
};

/** Looks at the hosts and the workload. */
type PreflightStep = PlanStepBase & {
  readonly uses: 'preflight';
  /** The codes of findings that do not refuse the run. @default none */
  readonly allow?: readonly string[];
};

/** A step that does something itself. */
export type ActingStep =
  | PreflightStep
  | (PlanStepBase & {
      readonly uses:
        'prepare' | 'dump' | 'give-up' | 'transfer/checkpoint' | 'restore' | 'commit' | 'post-copy';
    })
  | CopyStep
  | TransferSharedStep
  | PreCopyStep
  | CheckpointStep
  | (PlanStepBase & { readonly uses: 'verify'; readonly checks: readonly Check[] })
  | (PlanStepBase & Approval & { readonly uses: 'approve' })
  | CommandStep;

/**
 * `prepare`, and `pre-copy` when that is its strategy, are added before `dump`; `commit` is added after `restore` when a recipe does not
 * name it, and `post-copy` after that when it is the strategy.
 */
export type PlanStep = ActingStep | BlockStep;

/** All steps that do something, those of blocks in the place of their block. */
export function actingSteps(steps: readonly PlanStep[]): readonly ActingStep[] {
  return steps.flatMap((step) =>
    step.uses === 'block' ? actingSteps([...step.steps, ...step.rescue, ...step.always]) : [step],
  );
}

/** Whether the memory goes to the destination as it is dumped, and never to the disk of the source. */
export function isStreamed({ steps }: Pick<Plan, 'steps'>): boolean {
  return steps.some(({ uses }) => uses === 'transfer/stream');
}

/** Whether memory is copied while the workload runs. */
export function isPreCopied({ steps }: Pick<Plan, 'steps'>): boolean {
  return steps.some(({ uses, when }) => uses === 'pre-copy' && when !== false);
}

/** Whether memory is fetched after the commit. */
export function isPostCopied({ steps }: Pick<Plan, 'steps'>): boolean {
  return steps.some(({ uses, when }) => uses === 'post-copy' && when !== false);
}

/** What is chosen from. The last two are names of steps that they add. */
export const STRATEGIES: readonly Strategy[] = ['stop-and-copy', 'pre-copy', 'post-copy'];

/** Those that a run of the plan may come to, the one with the least that can fail first. */
export function strategiesOf({ steps, strategy }: Pick<Plan, 'steps' | 'strategy'>): readonly Strategy[] {
  const isDone = (each: PlanStep): boolean => strategy === 'auto' || each.when !== false;
  const added = STRATEGIES.filter((name) => steps.some((each) => each.uses === name && isDone(each)));
  return strategy === 'auto' || added.length === 0 ? ['stop-and-copy', ...added] : added;
}

/** What a plan becomes that leaves it open how the memory moves, once that is known. Its digest stays. */
export function withStrategy(plan: Plan, chosen: Strategy): Plan {
  const { strategy: _, ...rest } = plan;
  const steps = plan.steps.map((step) => {
    const { when: __, ...done } = step;
    return step.uses === chosen ? done : step;
  });
  return { ...rest, steps };
}

/** Whether the source reaches the destination itself, to copy something there. */
export function goesStraight({ steps }: Pick<Plan, 'steps'>): boolean {
  return steps.some(({ uses }) => uses === 'transfer/rsync' || uses === 'transfer/stream');
}

/** Bytes that are sent in a second at most; undefined where there is no limit. */
export function bandwidthLimitOf({ steps }: Pick<Plan, 'steps'>): number | undefined {
  const limits = steps.map((step) => ('bandwidthLimit' in step ? step.bandwidthLimit : undefined));
  return limits.find((limit) => limit !== undefined);
}

/** @returns the codes of findings that do not refuse the run */
export function allowedFindings({ steps }: Pick<Plan, 'steps'>): readonly string[] {
  return steps.find((step): step is PreflightStep => step.uses === 'preflight')?.allow ?? [];
}

/** The directory that both hosts share for the images, of a plan that transfers them so. */
export function sharedDirectoryOf({ steps }: Pick<Plan, 'steps'>): string | undefined {
  return steps.find((step): step is TransferSharedStep => step.uses === 'transfer/shared')?.directory;
}
