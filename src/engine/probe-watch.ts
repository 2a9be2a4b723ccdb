import { FlowError } from '../errors/flow-error.ts';
import type { ProbeReport } from '../events/event.ts';
import type { WatchPlan } from '../plan/plan.ts';
import { askCheck, type Asker, describeCheck } from '../steps/ask-check.ts';

/** Questions that may wait for an answer at the same time: while the workload is frozen none comes. */
const MAX_PENDING = 20;

interface Watched {
  readonly plan: WatchPlan;
  asked: number;
  failed: number;
  lastGoodAtMs: number;
  longestOutageMs: number;
  pending: number;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Asks probes over and over, as clients of the workload would, and measures the longest time without a good answer. A question is
 * asked on time whether or not the one before was answered.
 */
export class ProbeWatch {
  readonly #watched: readonly Watched[];
  readonly #asker: () => Omit<Asker, 'signal'>;
  readonly #onOutage: (error: FlowError) => void;
  /** What is still asked when it ends need not be answered any more: nobody waits for it. */
  readonly #over = new AbortController();
  #reports: readonly ProbeReport[] | undefined;

  /**
   * @param asker is asked for each question, since the hosts are locked meanwhile
   * @param onOutage is told each time that a probe has been without a good answer for longer than it may
   */
  constructor(
    plans: readonly WatchPlan[],
    asker: () => Omit<Asker, 'signal'>,
    onOutage: (error: FlowError) => void,
  ) {
    this.#asker = asker;
    this.#onOutage = onOutage;
    this.#watched = plans.map((plan) => ({
      ...{ plan, asked: 0, failed: 0, lastGoodAtMs: 0, longestOutageMs: 0, pending: 0 },
      timer: undefined,
    }));
  }

  /** Begins to ask; the workload counts as good at that moment. Idempotent. */
  start(): void {
    for (const watched of this.#watched) {
      if (watched.timer) continue;
      watched.lastGoodAtMs = performance.now();
      watched.timer = setInterval(() => this.#tick(watched), watched.plan.everyMs);
      watched.timer.unref();
    }
  }

  /** Ends it. Idempotent. @returns what was seen of each probe */
  stop(): readonly ProbeReport[] {
    this.#reports ??= this.#report();
    this.#over.abort();
    return this.#reports;
  }

  #report(): readonly ProbeReport[] {
    return this.#watched
      .filter(({ timer }) => timer !== undefined)
      .map((watched) => {
        clearInterval(watched.timer);
        const outageMs = performance.now() - watched.lastGoodAtMs;
        const { plan, asked, failed } = watched;
        return {
          probe: plan.probe,
          asked,
          failed,
          // What has only just been asked may still be answered.
          longestOutageMs: Math.max(watched.longestOutageMs, outageMs > plan.everyMs * 2 ? outageMs : 0),
          ...(plan.outageMs === undefined ? {} : { outageMs: plan.outageMs }),
        };
      });
  }

  #tick(watched: Watched): void {
    const { plan } = watched;
    const outageMs = performance.now() - watched.lastGoodAtMs;
    if (plan.outageMs !== undefined && outageMs > plan.outageMs)
      this.#onOutage(outageTooLong(plan, outageMs));
    if (watched.pending >= MAX_PENDING) return;
    watched.pending += 1;
    void this.#ask(watched).finally(() => {
      watched.pending -= 1;
    });
  }

  async #ask(watched: Watched): Promise<void> {
    const { check } = watched.plan;
    watched.asked += 1;
    const { signal } = this.#over;
    const asker = { ...this.#asker(), signal };
    const wrong = await askCheck(asker, check, check.timeoutMs).catch((error: unknown) => String(error));
    if (signal.aborted) return;
    if (wrong !== undefined) {
      watched.failed += 1;
      return;
    }
    const now = performance.now();
    watched.longestOutageMs = Math.max(watched.longestOutageMs, now - watched.lastGoodAtMs);
    watched.lastGoodAtMs = now;
  }
}

function outageTooLong({ probe, check, outageMs }: WatchPlan, sinceMs: number): FlowError {
  return new FlowError(
    'OUTAGE_TOO_LONG',
    `The probe ${probe} has had no good answer for ${Math.round(sinceMs)} ms; ${outageMs} ms are the most`,
    {
      evidence: describeCheck(check),
      hint: 'Give `checks.during` a longer `outage`, or find out what makes the pause long: each phase is timed in the report.',
    },
  );
}
