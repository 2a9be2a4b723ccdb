import { preDumpArguments } from '../criu/arguments.ts';
import { preDump, untilPreDumpsEnd } from '../criu/pre-dump.ts';
import type { PreCopyReport, PreCopyRound } from '../events/event.ts';
import { mustRunScript } from '../host/shell.ts';
import type { ActingStep } from '../plan/plan.ts';
import { readRoundManifest, requireSameImages } from '../transfer/manifest.ts';
import { LAST_ROUND, roundName } from '../transfer/rounds.ts';
import { needsShellJob, requireSameProcess } from '../workload/identity.ts';
import { criuOptions } from './criu-options.ts';
import { expectedDowntimeMs, whyStop } from './pre-copy-rule.ts';
import { imagesDirectory, memoryBytesOf, type StepContext, type StepType } from './step.ts';

/**
 * Copy the memory while the workload runs: all of it, then round after round what it has written to since. What is left for the pause is
 * what it writes while the last round travels. Each round is whole on the destination, and on both disks, before the next one begins.
 */
export const preCopy: StepType = {
  timeoutMs: 24 * 3_600_000,
  main: {
    async run(context, step) {
      const { plan, state, detail, warn } = context;
      const rounds: PreCopyRound[] = [];
      const rule = { most: roundsOf(step), objectiveMs: plan.objectives.downtimeMs };
      let stoppedBy: PreCopyReport['stoppedBy'] | undefined;
      while (stoppedBy === undefined) {
        const number = rounds.length + 1;
        detail(
          `round ${number}: copy ${number === 1 ? 'all of the memory' : 'what it has written to since'}`,
        );
        rounds.push(await copyRound(context, number));
        stoppedBy = whyStop(rounds, rule);
      }
      const report = { rounds, stoppedBy, expectedDowntimeMs: expectedDowntimeMs(rounds) };
      state.preCopy = report;
      if (rule.objectiveMs !== undefined && report.expectedDowntimeMs > rule.objectiveMs) {
        warn(
          `The pause is expected to be ${seconds(report.expectedDowntimeMs)}, and the objective is ${seconds(rule.objectiveMs)}: ${WHY_LONG[stoppedBy]}.`,
        );
      }
      return `${rounds.map(({ sizeBytes }) => `${(sizeBytes / 1024 ** 2).toFixed(1)} MiB`).join(', ')}; the pause is expected to be ${seconds(report.expectedDowntimeMs)}`;
    },
    undo: {
      title: 'let criu come to the end of its round',
      run: (context, step) =>
        untilPreDumpsEnd(
          context.source,
          Array.from({ length: roundsOf(step) }, (_, index) => workDirectory(context, index + 1)),
        ),
    },
  },
};

const WHY_LONG: Readonly<Record<PreCopyReport['stoppedBy'], string>> = {
  objective: 'it was met',
  'nothing-left': 'what the memory takes to be rebuilt is more',
  'no-progress': 'the workload writes to its memory about as fast as that is copied',
  limit: 'more rounds would make it shorter, and the recipe allows no more',
};

function seconds(ms: number): string {
  return `${Number((ms / 1000).toPrecision(2))} s`;
}

function roundsOf(step: ActingStep): number {
  if (step.uses !== 'pre-copy') throw new Error(`pre-copy: not ${step.uses}`);
  return step.rounds;
}

/** On the source. */
function workDirectory({ runDirectory }: Pick<StepContext, 'runDirectory'>, number: number): string {
  return `${runDirectory}/${roundName(number)}`;
}

/** What the images of the run have for their parent is the last round that is whole. */
const LINK_SCRIPT = 'cd "$1" && ln -sfn "$2" "$3"';

async function copyRound(context: StepContext, number: number): Promise<PreCopyRound> {
  const { source, destination, state, signal, keep } = context;
  const { workload } = state;
  if (!workload) throw new Error('pre-copy: not prepared');
  const images = imagesDirectory(context);
  const round = roundName(number);
  const directory = workDirectory(context, number);
  const options = {
    ...criuOptions(context, directory, needsShellJob(workload)),
    imagesDirectory: `${images}/${round}`,
  };
  const parent = number === 1 ? undefined : `../${roundName(number - 1)}`;
  await requireSameProcess(source, workload);
  const beganAt = performance.now();
  const sizeBytes = await preDump(
    source,
    {
      ...options,
      directory,
      argv: preDumpArguments(workload.rootPid, options, parent),
    },
    { signal, keep },
  );
  const dumpedAt = performance.now();
  const totalBytes = number === 1 ? memoryBytesOf(state) : sizeBytes;
  await state.carryRound?.(round, signal, (progress) => context.progress(progress, totalBytes));
  const sentAt = performance.now();
  const [dumped, arrived] = await Promise.all([
    readRoundManifest(source, images, round, signal),
    readRoundManifest(destination, images, round, signal),
  ]);
  requireSameImages(dumped, arrived, destination.name);
  await mustRunScript(source, LINK_SCRIPT, [images, round, LAST_ROUND], { what: 'Noting the round' });
  return { sizeBytes, dumpMs: dumpedAt - beganAt, sendMs: sentAt - dumpedAt };
}
