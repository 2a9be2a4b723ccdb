import { preDumpArguments } from '../criu/arguments.ts';
import {
  compareArguments,
  comparedRoundDirectory,
  endComparedRounds,
  makeComparedDirectory,
  wasSent,
} from '../criu/compared-rounds.ts';
import { preDump, untilPreDumpsEnd } from '../criu/pre-dump.ts';
import type { PreCopyReport, PreCopyRound } from '../events/event.ts';
import { mustRunScript } from '../host/shell.ts';
import { type ActingStep, isPostCopied } from '../plan/plan.ts';
import { trackingFindings } from '../preflight/host.ts';
import { readRoundManifest, requireSameImages } from '../transfer/manifest.ts';
import { followImages } from '../transfer/follow.ts';
import { readRounds } from '../transfer/reserve.ts';
import type { TransferProgress } from '../transfer/progress.ts';
import { LAST_ROUND, roundName } from '../transfer/rounds.ts';
import { criuNeeds } from '../workload/criu-needs.ts';
import { requireSameProcess } from '../workload/identity.ts';
import { allOver } from './all-over.ts';
import { criuOptions } from './criu-options.ts';
import { plainWay } from './direct-copy.ts';
import { makeReady } from './make-ready.ts';
import {
  expectedDowntimeMs,
  LEAST_PROGRESS,
  LEAST_PROGRESS_BEFORE,
  type Rule,
  whyStop,
} from './pre-copy-rule.ts';
import { roomOf } from './room.ts';
import { imagesDirectory, memoryBytesOf, type StepContext, type StepType } from './step.ts';

/**
 * Copy the memory while the workload runs: all of it, then round after round what it has written to since. Each round has come to the
 * destination before the next one begins; that it is the same there, and on both disks, is seen beside that, of most of them before the last ones
 * are begun. When more of them save nothing all else is done that the pause would wait for,
 * and then it catches up with what was written meanwhile: what is left for the pause is what the workload writes while the last round travels.
 */
export const preCopy: StepType = {
  timeoutMs: 24 * 3_600_000,
  prepare: {
    async run({ source, state, runDirectory }) {
      state.isTracked = (await trackingFindings(source)).length === 0;
      // Rounds are compared with what was written before.
      if (!state.isTracked) await makeComparedDirectory(source, runDirectory);
      return undefined;
    },
  },
  main: {
    async run(context, step) {
      const beside: Promise<void>[] = [];
      try {
        return await copyMemory(context, step, beside);
      } finally {
        // They leave digests behind, which whoever takes the run back removes.
        await Promise.allSettled(beside);
      }
    },
    undo: {
      title: 'let criu come to the end of its round',
      run: async (context, step) => {
        await endComparedRounds(context.source, context.runDirectory);
        await untilPreDumpsEnd(
          context.source,
          Array.from({ length: roundsOf(step) }, (_, index) => workDirectory(context, index + 1)),
        );
      },
    },
  },
};

/** Rounds after all else was made ready. */
const MOST_CATCHING_UP = 4;

const WHY_LONG: Readonly<Record<Exclude<PreCopyReport['stoppedBy'], 'objective'>, string>> = {
  'nothing-left': 'what is left takes that long, however little the workload writes',
  'no-progress': 'the workload writes to its memory about as fast as that is copied',
  'no-room': 'more rounds would make it shorter, and there is no room for them on the disk',
  limit: 'more rounds would make it shorter, and the recipe allows no more',
};

function sizesOf(rounds: readonly PreCopyRound[]): string {
  return rounds.map(({ sizeBytes }) => `${mebibytes(sizeBytes)} MiB`).join(', ');
}

function seconds(ms: number): string {
  return `${Number((ms / 1000).toPrecision(2))} s`;
}

function mebibytes(bytes: number): string {
  return (bytes / 1024 ** 2).toFixed(1);
}

function roundsOf(step: ActingStep): number {
  if (step.uses !== 'pre-copy') throw new Error(`pre-copy: not ${step.uses}`);
  return step.rounds;
}

/** On the source. */
function workDirectory({ runDirectory }: Pick<StepContext, 'runDirectory'>, number: number): string {
  return `${runDirectory}/${roundName(number)}`;
}

/** @param beside what is done beside the rounds, and is over when this succeeds: whether each is the same on the destination */
async function copyMemory(context: StepContext, step: ActingStep, beside: Promise<void>[]): Promise<string> {
  const { plan, state, detail, warn } = context;
  // Where the rest is fetched after the pause, that does not grow with it.
  const isHybrid = isPostCopied(plan);
  const objectiveMs = isHybrid ? undefined : plan.objectives.downtimeMs;
  const rounds: PreCopyRound[] = [];
  state.rounds = rounds;
  const untrackedBytes = await warnOfUntracked(context);
  if (state.isTracked === false)
    detail(`the kernel of ${context.source.name} does not track what is written to: memory is compared`);
  const most = roundsOf(step);
  const isTracked = state.isTracked !== false;
  const rule = {
    ...{ objectiveMs, isTracked, memoryBytes: memoryBytesOf(state) },
    // Where memory is compared such memory is in no round.
    inPauseBytes: isTracked ? 0 : untrackedBytes,
  };
  // One is left for later.
  if (most > 1)
    await copyRounds(context, rounds, beside, {
      ...rule,
      most: most - 1,
      before: 0,
      leastProgress: LEAST_PROGRESS_BEFORE,
    });
  detail('do what the pause would wait for');
  await state.copyFilesAgain?.(context);
  await makeReady(context);
  // The largest of them takes longest to be read: nobody waits for that between the last round and the freeze.
  await allOver(...beside.splice(0));
  // What was made ready becomes old.
  const { destination, signal } = context;
  const enough = new AbortController();
  const reading = AbortSignal.any([signal, enough.signal]);
  // What was not read by the last round nobody waits for.
  alsoDo(
    beside,
    readRounds(destination, imagesDirectory(context), rounds.length, reading).catch(() => undefined),
  );
  const mostNow = Math.min(most, rounds.length + MOST_CATCHING_UP);
  const ended = await copyRounds(context, rounds, beside, {
    ...rule,
    most: mostNow,
    before: rounds.length,
    leastProgress: LEAST_PROGRESS,
  });
  enough.abort();
  const stoppedBy = ended === 'limit' && rounds.length < most ? 'no-progress' : ended;
  await allOver(...beside);
  // The dump that waits has it for its parent.
  const link = [imagesDirectory(context), roundName(rounds.length), LAST_ROUND];
  await mustRunScript(context.source, 'cd "$1" && ln -s "$2" "$3"', link, { what: 'Noting the round' });
  state.preCopy = { rounds, stoppedBy, ...(state.isTracked === false && { isCompared: true }) };
  if (isHybrid) return sizesOf(rounds);
  const expectedMs = expectedDowntimeMs(rounds, rule);
  state.preCopy = { ...state.preCopy, expectedDowntimeMs: expectedMs };
  if (objectiveMs !== undefined && expectedMs > objectiveMs && stoppedBy !== 'objective') {
    warn(
      `The pause is expected to be ${seconds(expectedMs)}, and the objective is ${seconds(objectiveMs)}: ${WHY_LONG[stoppedBy]}.`,
    );
  }
  return `${sizesOf(rounds)}; the pause is expected to be ${seconds(expectedMs)}`;
}

/** Copies one round at least, and as many as save something. @returns why there were no more */
async function copyRounds(
  context: StepContext,
  rounds: PreCopyRound[],
  beside: Promise<void>[],
  rule: Omit<Rule, 'roomBytes'>,
): Promise<PreCopyReport['stoppedBy']> {
  let stoppedBy: PreCopyReport['stoppedBy'] | undefined;
  while (stoppedBy === undefined) {
    const number = rounds.length + 1;
    rounds.push(await copyRound(context, number));
    alsoDo(beside, requireSameRound(context, roundName(number)));
    stoppedBy = whyStop(rounds, { ...rule, roomBytes: await roomOf(context) });
  }
  return stoppedBy;
}

/** Whoever waits for all of them sees a failure. */
function alsoDo(works: Promise<void>[], work: Promise<void>): void {
  work.catch(() => undefined);
  works.push(work);
}

async function copyRound(context: StepContext, number: number): Promise<PreCopyRound> {
  const { source, state, signal, keep } = context;
  const { workload } = state;
  if (!workload) throw new Error('pre-copy: not prepared');
  context.detail(
    `round ${number}: copy ${number === 1 ? 'all of the memory' : 'what it has written to since'}`,
  );
  const images = imagesDirectory(context);
  const round = roundName(number);
  const directory =
    state.isTracked === false
      ? comparedRoundDirectory(context.runDirectory, round)
      : workDirectory(context, number);
  const options = {
    ...criuOptions(context, directory, criuNeeds(workload)),
    imagesDirectory: `${images}/${round}`,
  };
  const way = state.isTracked === false ? plainWay(context) : undefined;
  const parent = number === 1 ? undefined : `../${roundName(number - 1)}`;
  await requireSameProcess(source, workload);
  const beganAt = performance.now();
  const argv =
    state.isTracked === false
      ? compareArguments(context.runDirectory, number, way, workload.processes)
      : preDumpArguments(workload.rootPid, options, parent);
  const request = { directory, imagesDirectory: options.imagesDirectory, argv };
  const dumped = preDump(source, request, { signal, keep });
  const sizeBytes = way === undefined ? await dumped : await whileItComes(context, number, dumped);
  const dumpedAt = performance.now();
  if (way === undefined || !(await wasSent(source, directory))) {
    await state.carryRound?.(round, {
      sizeBytes,
      signal,
      onProgress: (progress) => context.progress(progress, sizeBytes),
    });
  }
  return { sizeBytes, dumpMs: dumpedAt - beganAt, sendMs: performance.now() - dumpedAt };
}

/** Shows how much of a round has come, as long as it is written. How much there is of it is known of the first one only. */
async function whileItComes<Result>(
  context: StepContext,
  number: number,
  written: Promise<Result>,
): Promise<Result> {
  const end = new AbortController();
  const totalBytes = number === 1 ? memoryBytesOf(context.state) : 0;
  const onProgress = (progress: TransferProgress): void =>
    context.progress(progress, Math.max(totalBytes, progress.doneBytes));
  const directory = `${imagesDirectory(context)}/${roundName(number)}`;
  void followImages(context.destination, directory, { totalBytes, onProgress, signal: end.signal });
  try {
    return await written;
  } finally {
    end.abort();
  }
}

/** @throws FlowError IMAGES_CORRUPTED */
async function requireSameRound(context: StepContext, round: string): Promise<void> {
  const { source, destination, signal } = context;
  const images = imagesDirectory(context);
  const [dumped, arrived] = await Promise.all([
    readRoundManifest(source, images, round, signal),
    readRoundManifest(destination, images, round, signal),
  ]);
  requireSameImages(dumped, arrived, destination.name);
}

/** Prints for each process the KiB that it has of memory which it may share, and of huge pages. Arguments: the pids. */
const UNTRACKED_SCRIPT = `
for pid; do
  awk '/^(RssShmem|HugetlbPages):/ { sum += $2 } END { print sum + 0 }' "/proc/$pid/status" 2> /dev/null || :
done
`;

const NOT_TRACKED =
  'criu does not track what is written to such memory: all of it is copied in the pause again, and each round stops the workload for as long as it takes to write what can be shared';

/** Of so much nobody need know. */
const LEAST_UNTRACKED_BYTES = 64 * 1024 ** 2;

/**
 * criu does not track what is written to shared memory, and leaves huge pages to the last dump.
 * @returns bytes of such memory
 * @see CRIU's source, shmem.c (is_shmem_tracking_en) and mem.c (generate_vma_iovs)
 */
async function warnOfUntracked({ source, state, warn }: StepContext): Promise<number> {
  const pids = (state.workload?.processes ?? []).map(({ pid }) => String(pid));
  const { stdout } = await mustRunScript(source, UNTRACKED_SCRIPT, pids, { what: 'Looking at the memory' });
  // Processes that share it have the same.
  const bytes = 1024 * Math.max(0, ...stdout.split('\n').map(Number));
  if (bytes < LEAST_UNTRACKED_BYTES) return bytes;
  warn(
    `${mebibytes(bytes)} of ${mebibytes(memoryBytesOf(state))} MiB of the memory can be shared with others, or are huge pages. ${state.isTracked === false ? 'Such memory is copied in the pause, all of it' : NOT_TRACKED}.`,
  );
  return bytes;
}
