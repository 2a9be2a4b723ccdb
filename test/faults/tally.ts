import { phases } from './choices.ts';
import type { Fault } from './fault.ts';
import type { Migration } from './soak-lab.ts';

/** What the soak writes down. */
export interface SoakResult {
  readonly seed: number;
  readonly migrations: number;
  readonly seconds: number;
  /** Tries that found nothing to break. */
  readonly misses: number;
  /** How often each fault hit, and how the runs ended. */
  readonly faults: readonly (readonly [fault: string, ends: Readonly<Record<string, number>>])[];
  readonly phases: readonly (readonly [phase: string, hits: number])[];
}

/** The fewest hits, as a share of what each fault and each phase would have if all had as many. */
const LEAST_SHARE = 1 / 3;

/** Counts what hit, and how it ended. */
export class Tally {
  readonly #faults: Map<string, Map<string, number>>;
  readonly #phases: Map<string, number>;
  readonly #seconds = new Map<string, Map<string, number>>();
  #hits = 0;
  #misses = 0;

  constructor(faults: readonly Fault[]) {
    this.#faults = new Map(faults.map(({ title }) => [title, new Map<string, number>()]));
    this.#phases = new Map(phases.map((phase) => [phase, 0]));
  }

  /** @returns whether it counts */
  note(fault: Fault, { phase, ended, killed }: Migration): boolean {
    if (phase === undefined) {
      this.#misses += 1;
      return false;
    }
    this.#hits += 1;
    add(this.#faults.get(fault.title), ended);
    this.#phases.set(phase, (this.#phases.get(phase) ?? 0) + 1);
    for (const verb of new Set(killed)) {
      const title = `then ${verb} SIGKILL`;
      if (!this.#seconds.has(title)) this.#seconds.set(title, new Map());
      add(this.#seconds.get(title), ended);
    }
    return true;
  }

  /** The faults and phases that were hit too seldom for the number of migrations. */
  tooSeldom(migrations: number): readonly string[] {
    const hits = [...this.#faults].map(([fault, ends]): [string, number] => [fault, sum(ends.values())]);
    const least = (count: number): number => Math.floor((migrations / count) * LEAST_SHARE);
    return [
      ...hits.filter(([, count]) => count < least(hits.length)),
      ...[...this.#phases].filter(([, count]) => count < least(this.#phases.size)),
    ].map(([what, count]) => `${what}: ${count} hits`);
  }

  result(seed: number, seconds: number): SoakResult {
    return {
      seed,
      seconds,
      migrations: this.#hits,
      misses: this.#misses,
      faults: [...this.#faults, ...this.#seconds].map(([fault, ends]) => [fault, Object.fromEntries(ends)]),
      phases: [...this.#phases],
    };
  }
}

function add(counts: Map<string, number> | undefined, what: string): void {
  counts?.set(what, (counts.get(what) ?? 0) + 1);
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, each) => total + each, 0);
}
