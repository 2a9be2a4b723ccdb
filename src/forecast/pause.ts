import { actingSteps, bandwidthLimitOf, isPostCopied, isPreCopied, type Plan } from '../plan/plan.ts';
import { timeoutOf } from '../steps/registry.ts';
import { CRIU_MS_PER_MIB } from '../steps/pre-copy-rule.ts';
import { FIXED_MS, LOOK_MS_PER_MIB } from '../steps/strategy-rule.ts';
import type { ForecastStep, PauseEstimate } from './forecast.ts';
import { type Transfer, transferOf } from './transfer-acts.ts';

const MIB = 1024 * 1024;

/** A link of 1 Gbit/s carries 119 MiB in a second; compression, which makes it less, is not counted on. */
const LINK_MS_PER_MIB = 1000 / 119;
const ROUND_TRIP_MS = 1;

/** Of the memory. */
const LEFT_BY_ROUNDS = 1 / 20;

/** Milliseconds for the start of criu, and for letting it go. */
const CHECKPOINT_FIXED_MS = 100;

type Rates = Pick<
  PauseEstimate,
  'assumptions' | 'dumpMsPerMiB' | 'transferMsPerMiB' | 'restoreMsPerMiB' | 'fixedMs'
>;

const MOVE_RATES: Rates = {
  assumptions: [
    'criu writes and reads 1 GiB of memory a second (assumed)',
    'the link carries 1 Gbit/s, and compression makes nothing smaller (assumed)',
    'a round trip takes 1 ms (assumed)',
    'all else takes 275 ms: what a measured pause of 0.4 s for 64 MiB leaves when criu is taken off (docs/performance.md)',
  ],
  dumpMsPerMiB: CRIU_MS_PER_MIB,
  transferMsPerMiB: LINK_MS_PER_MIB,
  restoreMsPerMiB: CRIU_MS_PER_MIB,
  fixedMs: FIXED_MS,
};

/** The memory travels while it is dumped, which takes as long as the slower of the two. */
const STREAM_RATES: Rates = {
  ...MOVE_RATES,
  assumptions: ['the memory is sent while it is dumped', ...MOVE_RATES.assumptions],
  transferMsPerMiB: LINK_MS_PER_MIB - CRIU_MS_PER_MIB,
};

/** A machine of two processors passes on so much by SFTP, whatever the link carries (docs/performance.md). */
const RELAY_MS_PER_MIB = 1000 / 50;

const SFTP_RATES: Rates = {
  ...MOVE_RATES,
  assumptions: [
    'criu writes and reads 1 GiB of memory a second (assumed)',
    'this machine passes 50 MiB on in a second: its processor is the limit, not a link of 1 Gbit/s (assumed)',
    ...MOVE_RATES.assumptions.slice(2),
  ],
  transferMsPerMiB: RELAY_MS_PER_MIB,
};

/** What is done for each page in the pause is to find it, and to make a place for it. */
const POST_COPY_RATES: Rates = {
  ...MOVE_RATES,
  assumptions: [
    'its memory is fetched after the pause, in which a GiB of it takes 0.1 s to be found (assumed)',
    ...MOVE_RATES.assumptions.slice(2),
  ],
  dumpMsPerMiB: LOOK_MS_PER_MIB,
  transferMsPerMiB: 0,
  restoreMsPerMiB: 0,
};

/** criu writes to the shared file system, and reads from it what the host does not have in its cache. */
const SHARED_RATES: Rates = {
  ...MOVE_RATES,
  assumptions: [
    'criu writes and reads 1 GiB of memory a second (assumed)',
    'the shared file system takes and gives 1 Gbit/s (assumed)',
    ...MOVE_RATES.assumptions.slice(2),
  ],
  transferMsPerMiB: 2 * LINK_MS_PER_MIB,
};

/** Nothing travels, and nothing is rebuilt. */
const CHECKPOINT_RATES: Rates = {
  assumptions: [
    'criu writes 1 GiB of memory a second (assumed)',
    'a round trip takes 1 ms (assumed)',
    'all else takes 100 ms: what a checkpoint of a small process takes on a lab',
  ],
  dumpMsPerMiB: CRIU_MS_PER_MIB,
  transferMsPerMiB: 0,
  restoreMsPerMiB: 0,
  fixedMs: CHECKPOINT_FIXED_MS,
};

const TRANSFER_RATES: Readonly<Record<Transfer, Rates>> = {
  'transfer/rsync': MOVE_RATES,
  'transfer/sftp': SFTP_RATES,
  'transfer/shared': SHARED_RATES,
  'transfer/stream': STREAM_RATES,
};

/** Memory of workloads, where it is not known: 64 MiB, 1 GiB, 16 GiB. */
const EXAMPLES_MIB = [64, 1024, 16_384];

/**
 * Estimates how long the workload stands still.
 * @param steps with the marks of the freeze and of the end of the pause
 * @param memoryBytes of the workload, when a host was asked
 */
export function estimatePause(
  plan: Plan,
  steps: readonly ForecastStep[],
  memoryBytes: number | undefined,
): PauseEstimate {
  const roundTrips = roundTripsOf(steps);
  const rates = ratesOf(plan);
  const msPerMiB = rates.dumpMsPerMiB + rates.transferMsPerMiB + rates.restoreMsPerMiB;
  const { fixedMs } = rates;
  const constantMs = fixedMs + roundTrips * ROUND_TRIP_MS;
  const sizes = memoryBytes === undefined ? EXAMPLES_MIB.map((mib) => mib * MIB) : [memoryBytes];
  const objectiveMs = plan.objectives.downtimeMs;
  return {
    ...rates,
    roundTrips,
    roundTripMs: ROUND_TRIP_MS,
    estimates: sizes.map((bytes) => ({
      memoryBytes: bytes,
      ms: Number((constantMs + (bytes / MIB) * msPerMiB).toPrecision(2)),
    })),
    ...(objectiveMs === undefined
      ? {}
      : {
          objectiveMs,
          mostMemoryBytes: Math.max(0, Math.floor(((objectiveMs - constantMs) / msPerMiB) * MIB)),
        }),
    notCounted: notCounted(plan),
  };
}

function ratesOf(plan: Plan): Rates {
  if (plan.kind === 'checkpoint') return CHECKPOINT_RATES;
  const rates = limited(plan, TRANSFER_RATES[transferOf(plan) ?? 'transfer/rsync']);
  if (isPostCopied(plan)) return POST_COPY_RATES;
  if (!isPreCopied(plan)) return rates;
  return {
    ...rates,
    assumptions: [
      'what it writes to while the last round travels is a twentieth of its memory (assumed: the run measures it)',
      ...rates.assumptions,
    ],
    dumpMsPerMiB: rates.dumpMsPerMiB * LEFT_BY_ROUNDS,
    transferMsPerMiB: rates.transferMsPerMiB * LEFT_BY_ROUNDS,
  };
}

/** A limit counts where it is less than the link. */
function limited(plan: Plan, rates: Rates): Rates {
  const limit = bandwidthLimitOf(plan);
  const msPerMiB = limit === undefined ? 0 : (1000 * MIB) / limit;
  if (limit === undefined || msPerMiB <= rates.transferMsPerMiB) return rates;
  const mib = Number((limit / MIB).toPrecision(3));
  return {
    ...rates,
    assumptions: [`no more than ${mib} MiB are sent in a second (the recipe)`, ...rates.assumptions],
    transferMsPerMiB: msPerMiB,
  };
}

/** Of what is done one after the other while the workload stands still. */
function roundTripsOf(steps: readonly ForecastStep[]): number {
  return steps
    .flatMap(({ acts }) => acts)
    .reduce((sum, act) => sum + (act.kind === 'work' ? (act.roundTrips ?? 0) : 0), 0);
}

function notCounted(plan: Plan): readonly string[] {
  const from = plan.steps.findIndex(({ uses }) => uses === 'dump');
  const to = plan.steps.findIndex(({ uses }) => uses === 'commit' || uses === 'checkpoint');
  const moves = new Set<string | undefined>(['dump', transferOf(plan), 'restore']);
  const others = actingSteps(plan.steps.slice(from, to)).filter(
    ({ uses, when }) => !moves.has(uses) && when !== false,
  );
  return [
    ...(plan.files.length > 0
      ? [
          `what changes in the files after their first copy, at the rate of the ${plan.kind === 'move' ? 'link' : 'disk'}`,
        ]
      : []),
    ...others.map(
      (step) => `${step.id} (${step.title}), while clients wait: up to ${timeoutOf(step, plan) / 1000} s`,
    ),
  ];
}
