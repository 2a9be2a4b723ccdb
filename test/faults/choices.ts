import type { Phase } from '../../src/events/event.ts';
import type { Transfer } from './boundaries.ts';
import type { Fault } from './fault.ts';
import type { SecondFault } from './follow.ts';
import { randomFrom, shuffled } from './random.ts';

/** How one migration of the soak goes wrong. */
export interface Choice {
  /** In its lab, from 1. */
  readonly number: number;
  readonly fault: Fault;
  /** How the images travel. */
  readonly transfer: Transfer;
  /** The phase it aims at, and how many milliseconds after its begin. */
  readonly phase: MovePhase;
  readonly delayMs: number;
  /** Milliseconds after which what is broken is put right; undefined for when the run has ended. */
  readonly healAfterMs: number | undefined;
  /** How fast the way to each host is; undefined for as fast as it can. */
  readonly ratesMbitPerSecond: Readonly<Record<'a' | 'b', number | undefined>>;
  /** What goes wrong with whatever brings the run to its end. */
  readonly secondFaults: readonly SecondFault[];
  /** For the fault itself. */
  readonly random: () => number;
}

/** The phases of a move. */
export type MovePhase = Exclude<Phase, 'keep'>;

/** About as many milliseconds as each phase takes on a lab. */
const PHASES: Readonly<Record<MovePhase, number>> = {
  prepare: 1800,
  freeze: 130,
  transfer: 130,
  restore: 160,
  commit: 40,
  release: 90,
  verify: 50,
  'clean-up': 500,
};

export const phases = Object.keys(PHASES) as readonly MovePhase[];

const LATEST_HEALING_MS = 9000;
const RATES_MBIT_PER_SECOND = { least: 20, most: 400 };
const MOST_LINES = 8;
const LATEST_SECOND_MS = 150;

/**
 * The choices of one lab, without an end, the same for the same seed whatever they lead to. Each fault comes as often as
 * the others, and aims at each of its phases as often as at the others.
 */
export function* choices(seed: number, lab: number, faults: readonly Fault[]): Generator<Choice, never> {
  const order = randomFrom(seed * 1000 + lab);
  const aims = new Map<Fault, MovePhase[]>();
  for (let number = 1; ;) {
    for (const fault of shuffled(faults, order)) {
      const left = aims.get(fault) ?? [];
      const [phase = 'prepare', ...rest] = left.length > 0 ? left : shuffled(fault.phases ?? phases, order);
      aims.set(fault, rest);
      // Of its own: how much a fault asks for has no influence on those after it.
      const random = randomFrom(Math.floor(order() * 2 ** 31));
      yield choose(number, fault, phase, random);
      number += 1;
    }
  }
}

/** One of the choices of {@link choices}, again and again. */
export function* again(
  seed: number,
  lab: number,
  faults: readonly Fault[],
  number: number,
): Generator<Choice, never> {
  for (;;) {
    for (const choice of choices(seed, lab, faults)) {
      if (choice.number < number) continue;
      yield choice;
      break;
    }
  }
}

/** What changes a memory that was streamed after it has come, nobody can know. */
function transferOf({ breaksImages }: Fault, share: number): Transfer {
  if (breaksImages === true) return share < 0.5 ? 'transfer/rsync' : 'transfer/sftp';
  return share < 0.3 ? 'transfer/rsync' : share < 0.6 ? 'transfer/sftp' : 'transfer/stream';
}

function choose(number: number, fault: Fault, phase: MovePhase, random: () => number): Choice {
  const seldom = <Value>(share: number, value: Value): Value | undefined =>
    random() < share ? value : undefined;
  const rate = (): number => {
    const { least, most } = RATES_MBIT_PER_SECOND;
    return Math.round(least * (most / least) ** random());
  };
  const second = (): SecondFault => ({
    afterLines: 1 + Math.floor(random() * MOST_LINES),
    afterMs: Math.floor(random() * LATEST_SECOND_MS),
  });
  return {
    number,
    fault,
    transfer: transferOf(fault, random()),
    phase,
    delayMs: Math.floor(random() * PHASES[phase]),
    healAfterMs: seldom(0.7, Math.floor(random() * LATEST_HEALING_MS)),
    ratesMbitPerSecond: { a: seldom(0.3, rate()), b: seldom(0.3, rate()) },
    secondFaults: [second(), second()].slice(0, Math.floor(random() * 3)),
    random,
  };
}
