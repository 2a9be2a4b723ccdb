import {
  copiesRunning,
  INITIAL,
  isAtRest,
  keyOf,
  next,
  type Protocol,
  type Scope,
  type State,
} from './protocol.ts';

/** What must be so in every state. */
export const INVARIANTS = [
  'at most one copy runs',
  'no copy of the past runs',
  'no copy that was let run is ended',
  /** By what the tool does, no fault coming in between. */
  'the tool can bring one copy to run',
  /** By that, or by a person who restores from the images. */
  'one copy can be brought to run',
] as const;
export type Invariant = (typeof INVARIANTS)[number];

/** All states that can be come to, and how often each invariant does not hold. */
export interface Exploration {
  readonly states: number;
  readonly broken: Readonly<Partial<Record<Invariant, number>>>;
  /** A shortest way to a state in which an invariant does not hold, a line each; empty when it always holds. */
  trace(invariant: Invariant): string;
}

/**
 * Breadth first, so that each state is found by a shortest way. What can be brought to run is found backwards, from the states
 * in which one copy runs and nothing is held: all from which a path without faults leads there.
 */
export function explore(rules: Protocol, scope: Scope): Exploration {
  const states: State[] = [INITIAL];
  const numbers = new Map([[keyOf(INITIAL), 0]]);
  const found: { readonly from: number; readonly label: string }[] = [{ from: -1, label: '' }];
  const steps = new Edges();
  const hands = new Edges();
  for (let number = 0; number < states.length; number++) {
    for (const { label, kind, state } of next(at(states, number), rules, scope)) {
      const key = keyOf(state);
      let target = numbers.get(key);
      if (target === undefined) {
        target = states.push(state) - 1;
        numbers.set(key, target);
        found.push({ from: number, label });
      }
      if (kind === 'step') steps.add(number, target);
      if (kind === 'hand') hands.add(number, target);
    }
  }

  const leads = Uint8Array.from(states, (state) => Number(isAtRest(state)));
  const byTool = leadingTo(leads, steps);
  const atAll = leadingTo(byTool, steps, hands);

  const first: Partial<Record<Invariant, number>> = {};
  const broken: Partial<Record<Invariant, number>> = {};
  for (const [number, state] of states.entries()) {
    const holds: Readonly<Record<Invariant, boolean>> = {
      'at most one copy runs': copiesRunning(state) <= 1,
      'no copy of the past runs': !state.isRewound,
      'no copy that was let run is ended':
        state.isLost || state.destination.hold !== 'done' || state.destination.copy === 'running',
      'the tool can bring one copy to run': state.isLost || byTool[number] === 1,
      'one copy can be brought to run': state.isLost || atAll[number] === 1,
    };
    for (const invariant of INVARIANTS) {
      if (holds[invariant]) continue;
      first[invariant] ??= number;
      broken[invariant] = (broken[invariant] ?? 0) + 1;
    }
  }
  return {
    states: states.length,
    broken,
    trace(invariant) {
      if (first[invariant] === undefined) return '';
      const lines: string[] = first[invariant] === 0 ? ['from the beginning'] : [];
      for (let number = first[invariant]; number > 0; number = at(found, number).from) {
        lines.unshift(at(found, number).label);
      }
      return lines.join('\n');
    },
  };
}

/** The edges of a graph, to be followed backwards: a chain for each target. */
class Edges {
  readonly #from: number[] = [];
  readonly #next: number[] = [];
  readonly #last: number[] = [];

  add(from: number, to: number): void {
    this.#next.push(this.#last[to] ?? -1);
    this.#last[to] = this.#from.push(from) - 1;
  }

  /** Calls with all from which an edge leads there. */
  eachTo(target: number, call: (from: number) => void): void {
    for (let edge = this.#last[target] ?? -1; edge >= 0; edge = this.#next[edge] ?? -1)
      call(at(this.#from, edge));
  }
}

/** All from which one of those can be come to. */
function leadingTo(those: Uint8Array, ...graphs: readonly Edges[]): Uint8Array {
  const leads = Uint8Array.from(those);
  const open = [...leads.keys()].filter((number) => leads[number] === 1);
  const note = (from: number): void => {
    if (leads[from] === 1) return;
    leads[from] = 1;
    open.push(from);
  };
  for (let number = open.pop(); number !== undefined; number = open.pop()) {
    for (const edges of graphs) edges.eachTo(number, note);
  }
  return leads;
}

function at<Item>(items: readonly Item[], number: number): Item {
  const item = items[number];
  if (item === undefined) throw new Error(`no item ${number}`);
  return item;
}
