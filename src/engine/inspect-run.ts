import type { FlowError } from '../errors/flow-error.ts';
import { CriuHold } from '../criu/hold.ts';
import { BOOT_FUNCTION } from '../host/boot-function.ts';
import { commandOn } from '../host/command-on.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import type { Plan } from '../plan/plan.ts';
import { flowCommandOf } from '../store/flow-command.ts';
import type { StoredRun } from '../store/read-run.ts';
import { toFailureData } from '../events/failure-data.ts';
import type { FailureData } from '../events/event.ts';
import { SURE_FUNCTION, WHOLE_FUNCTION } from '../criu/whole-images.ts';
import { survivors } from '../workload/identity.ts';
import { readAlive } from '../workload/alive.ts';
import type { WorkloadFacts } from '../workload/facts.ts';
import { connectLeniently } from './connection.ts';
import { type Progress, readProgress } from './read-progress.ts';
import { decidedPlan, strategyOf } from './decided-plan.ts';
import { whyLost } from './forgotten.ts';
import {
  type Found,
  type HoldTruth,
  type HostTruth,
  judge,
  type Scene,
  type Verdict,
} from './judge-scene.ts';
import { lookAtRun, type RunOnHost } from './run-on-host.ts';
import { hostDirectoryOf } from './host-directory.ts';

/** Where the workload of a run is, and what is left to do. */
export interface RunTruth extends Verdict {
  readonly runId: string;
  readonly source: HostTruth;
  readonly destination: HostTruth;
}

/**
 * Prints how a hold stands, its decision, whether it is of this boot, whether there are images, when criu was told to start, in
 * hundredths of a second since boot (clock ticks, USER_HZ, are that on Linux), whether the images are `unsure`, whether what a restore
 * needs is in its place, and whether memory is `here` that is to be fetched. Argument: its directory.
 */
const HOLD_TRUTH_SCRIPT: string = `
${BOOT_FUNCTION}
${WHOLE_FUNCTION}
${SURE_FUNCTION}
stands=absent boots=same images=none started=- placed=none memory=none
! whole "\${1%/*}" || images=whole
if cd "$1" 2> /dev/null; then
  stands=armed
  if [ -f started ]; then
    stands=working
    # A power cut may have kept the file and not what it says.
    read -r started _ < started || started=-
    started=\${started%.*}\${started#*.}
  fi
  [ ! -f held ] || stands=holds
  [ ! -f placed ] || placed=placed
  [ ! -f serves ] || [ -f fetched ] || memory=here
  if [ -e process/lock ] && flock -n -s process/lock true; then stands=ended; fi
  [ ! -f exit ] || stands=ended
  [ ! -f boot ] || [ "$(cat boot)" = "$(boot)" ] || boots=earlier
fi
read -r decision _ 2> /dev/null < decision || decision=none
sure=sure
[ "$boots" = same ] || sure "\${1%/*}" || sure=unsure
echo "$stands $decision $boots $images $started $sure $placed $memory"
`;

/** Asks both hosts; the journal only says what to ask for. Changes nothing. */
export async function inspectRun(run: StoredRun, sshConfigFile?: string): Promise<RunTruth> {
  const progress = readProgress(run.records);
  const { workload } = progress;
  const connection = await connectLeniently(run.plan as Plan, sshConfigFile ?? run.header.sshConfigFile);
  try {
    const { source: lostSource, destination: lostDestination } = connection.lost;
    const found = await Promise.all([
      ask(connection.source, run.runId, lostSource),
      ask(connection.destination, run.runId, lostDestination),
    ]);
    const seen = found.filter((each) => 'epochs' in each);
    const plan = decidedPlan(run.plan as Plan, strategyOf(progress, seen));
    // An older copy of the run's directory does not know the last attempt.
    const epoch = Math.max(
      progress.movedInEpoch,
      ...found.flatMap((each) => ('epochs' in each ? each.epochs : [])),
    );
    const directory = hostDirectoryOf(run.runId, epoch);
    const [source, destination] = await Promise.all([
      look(connection.source, found[0], `${directory}/dump`),
      look(connection.destination, found[1], `${directory}/restore`),
    ]);
    const truth = { runId: run.runId, source, destination };
    if (!workload) {
      return {
        ...truth,
        standing: 'on-source',
        sentence: 'Nothing was touched: the run ended before it found the workload.',
      };
    }
    const scene: Scene = {
      ...{ directory, plan, source, destination },
      command: flowCommandOf(run, sshConfigFile),
      uncheckedCommand: commandOn(connection.source, ['touch', `${directory}/images.unchecked`]),
      runOnCommand: CriuHold.of(connection.source, `${directory}/dump`).restoreCommand,
      restoreCommand: CriuHold.of(connection.destination, `${directory}/restore`).restoreCommand,
      onSource: source.failure ? undefined : await survivors(connection.source, workload.processes),
      onDestination: destination.failure
        ? undefined
        : await findOnDestination(connection.destination, progress, workload, destination.hold),
      sourceHasEnded: progress.sourceHasEnded,
      cleanUp: howFarCleanUpCame(progress),
      kept: progress.kept,
      lostOnSource:
        !lostSource && 'epochs' in found[0]
          ? await whyLost(connection.source, found[0], progress, plan)
          : undefined,
    };
    return { ...truth, ...judge(scene) };
  } finally {
    await connection.close();
  }
}

function howFarCleanUpCame({ began, finished }: Progress): Scene['cleanUp'] {
  if (finished.has('clean-up')) return 'done';
  return began.has('clean-up') ? 'unfinished' : 'not begun';
}

/** @returns why it could not be asked, when it could not */
async function ask(host: Host, runId: string, lost: FlowError | undefined): Promise<RunOnHost | FailureData> {
  try {
    return await lookAtRun(host, runId, lost);
  } catch (error) {
    return toFailureData(error);
  }
}

async function look(host: Host, found: RunOnHost | FailureData, directory: string): Promise<HostTruth> {
  if (!('epochs' in found)) return { host: host.name, failure: found };
  const { lock } = found;
  try {
    const { stdout } = await mustRunScript(host, HOLD_TRUTH_SCRIPT, [directory], { what: 'Looking at criu' });
    const [
      stands = '',
      decision = '',
      boots = '',
      images = '',
      started = '',
      isUnsure = '',
      placed = '',
      memory = '',
    ] = stdout.trim().split(' ');
    return {
      host: host.name,
      hold: {
        stands: STANDS.find((each) => each === stands) ?? 'absent',
        decision: decision === 'commit' || decision === 'abort' ? decision : 'none',
        isFromEarlierBoot: boots === 'earlier',
        hasImages: images === 'whole',
        areImagesUnsure: isUnsure === 'unsure',
        isPlaced: placed === 'placed',
        hasMemory: memory === 'here',
        ...(/^\d+$/.test(started) ? { startedAtTicks: Number(started) } : {}),
      },
      ...(lock ? { lock } : {}),
    };
  } catch (error) {
    return { host: host.name, failure: toFailureData(error) };
  }
}

const STANDS = ['absent', 'armed', 'working', 'holds', 'ended'] as const;

/**
 * The workload's processes on the destination. Restored ones have other start times than they had: they are known by what the
 * hold or the journal says of that, else by their likeness.
 */
async function findOnDestination(
  host: Host,
  { moved }: Progress,
  { rootPid, processes }: WorkloadFacts,
  hold: HoldTruth | undefined,
): Promise<Found> {
  const { boot, alive } = await readAlive(
    host,
    processes.map(({ pid }) => pid),
  );
  const pidsOf = (isIt: (process: (typeof alive)[number]) => boolean): readonly number[] =>
    alive.filter(isIt).map(({ pid }) => pid);
  if (hold && hold.stands !== 'absent') {
    const isOld = hold.isFromEarlierBoot || hold.startedAtTicks === undefined;
    return {
      by: 'hold',
      pids: isOld ? [] : pidsOf(({ startTicks }) => startTicks >= (hold.startedAtTicks ?? 0)),
    };
  }
  if (moved) {
    const isIt =
      boot === moved.boot &&
      alive.some(({ pid, startTicks }) => pid === rootPid && startTicks === moved.startTicks);
    return { by: 'journal', pids: isIt ? pidsOf(() => true) : [] };
  }
  const commands = new Map(processes.map(({ pid, command }) => [pid, command.replaceAll('\n', ' ')]));
  return { by: 'likeness', pids: pidsOf(({ pid, command }) => commands.get(pid) === command) };
}
