import type { Strategy } from '../events/event.ts';
import type { Plan, RetryPolicy } from '../plan/plan.ts';

/** What a plan will do, before it does it: plain JSON, without a secret's value. No host was asked. */
export interface Forecast {
  readonly version: 1;
  /** What it is for. Of a checkpoint and of a restore the source and the destination are one host. */
  readonly kind: Plan['kind'];
  /** The recipe's name and file. */
  readonly name: string;
  readonly file: string;
  /** SHA-256 (hex) of the plan: a run of the same recipe with the same inputs has it in its `plan.json`. */
  readonly digest: string;
  readonly source: string;
  readonly destination: string;
  /** Which process moves, in words. */
  readonly workload: string;
  readonly network: {
    readonly connections: 'keep' | 'close' | 'refuse';
    readonly address?: { readonly cidr: string; readonly device: string };
  };
  readonly files: readonly string[];
  /** What is known only while the run runs, as it is shown in a {@link Word}, and what it is. */
  readonly placeholders: Readonly<Record<string, string>>;
  /** In the order in which they are done when nothing fails. */
  readonly steps: readonly ForecastStep[];
  /** The recipe's own commands at the end of a rollback. */
  readonly rollback: readonly ForecastCommand[];
  /** What becomes of the workload when a step fails after the commit. */
  readonly onFailure: 'keep' | 'migrate-back' | 'revert';
  /** Probes that are asked over and over, from before the freeze to the end of the steps. */
  readonly watches: readonly ForecastWatch[];
  /** Not of a restore: its workload does not run before. Nor where the strategy is chosen later. */
  readonly pause?: PauseEstimate;
  /** Of each strategy that may be chosen, by what is assumed; the choice is made by what is measured. */
  readonly pauses?: readonly { readonly strategy: Strategy; readonly pause: PauseEstimate }[];
}

export interface ForecastStep {
  /** As in the journal; `lock` and `clean-up` are every run's. */
  readonly id: string;
  readonly uses: string;
  readonly title: string;
  /** Whether it is done: `false` is known already, a text is the condition that is asked when its turn comes. */
  readonly when?: false | string;
  /** Milliseconds that it may take, all its tries together; without for what has no limit of its own. */
  readonly timeoutMs?: number;
  /** It is done however the run ended. */
  readonly isAlways?: true;
  /** What it does, in order. */
  readonly acts: readonly Act[];
  /** What takes it back when the run is rolled back, in words, and the recipe's own commands, in order. */
  readonly undo: readonly string[];
  readonly rollback: readonly ForecastCommand[];
  readonly retry?: RetryPolicy;
  readonly register?: string;
  /** Exit codes with which its command has done well, when others than 0. */
  readonly exitCodes?: readonly number[];
  readonly irreversible?: string;
  readonly readOnly?: true;
  /** What a `verify` asks. */
  readonly checks?: readonly ForecastCheck[];
  /** Whom an `approve` waits for. */
  readonly approval?: {
    readonly message: string;
    readonly by: readonly string[];
    readonly approvals: number;
    readonly expiresMs: number;
  };
  /** Those of a `block`. */
  readonly steps?: readonly ForecastStep[];
  readonly rescue?: readonly ForecastStep[];
  readonly always?: readonly ForecastStep[];
}

export interface ForecastCheck {
  /** The question in words. */
  readonly asks: string;
  /** From where. */
  readonly on: Place;
  readonly timeoutMs: number;
  /** Milliseconds that a good answer takes at most. */
  readonly withinMs?: number;
  /** A pattern that must match in the answer. */
  readonly pattern?: string;
  /** What is run to ask it. */
  readonly command?: ForecastCommand;
}

/** A probe that is asked over and over. */
export interface ForecastWatch {
  readonly probe: string;
  readonly check: ForecastCheck;
  readonly everyMs: number;
  /** The longest time without a good answer, in milliseconds. */
  readonly outageMs?: number;
}

export type Act =
  | {
      readonly kind: 'work';
      readonly on: Place | 'both';
      /** In words. */
      readonly does: string;
      /** Command lines that are known before, as they are run. */
      readonly commands: readonly ForecastCommand[];
      /** How many answers of a host are waited for one after the other, where that counts: inside of the pause. */
      readonly roundTrips?: number;
    }
  | {
      readonly kind: 'mark';
      /** The workload stops; from here there is no way back; it runs again. */
      readonly mark: Mark;
    };

export type Mark = 'freeze' | 'commit-point' | 'runs-again';

export type Place = 'source' | 'destination' | 'local';

export interface ForecastCommand {
  readonly on: Place;
  readonly argv: readonly Word[];
  readonly env?: Readonly<Record<string, Word>>;
  readonly stdin?: Word;
}

/** A text that is given exactly so, or one with placeholders in it, and which: `<pid>`. */
export type Word = string | { readonly text: string; readonly needs: readonly string[] };

/** How long the workload will stand still. An estimate from {@link assumptions}: nothing was measured. */
export interface PauseEstimate {
  readonly assumptions: readonly string[];
  /** Milliseconds for each MiB of the workload's memory. */
  readonly dumpMsPerMiB: number;
  readonly transferMsPerMiB: number;
  readonly restoreMsPerMiB: number;
  readonly roundTrips: number;
  readonly roundTripMs: number;
  /** Milliseconds for all that depends on none of these. */
  readonly fixedMs: number;
  /** For the workload's memory when that is known, else for some sizes; in milliseconds, two digits of which say something. */
  readonly estimates: readonly { readonly memoryBytes: number; readonly ms: number }[];
  readonly objectiveMs?: number;
  /** The most memory with which the objective is met, by this estimate; 0 when no workload meets it. */
  readonly mostMemoryBytes?: number;
  /** What comes on top. */
  readonly notCounted: readonly string[];
}
