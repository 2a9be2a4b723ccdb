import { BOOT_FUNCTION } from '../host/boot-function.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import { type ListedLock, listLocks } from '../lock/workload-lock.ts';
import type { Plan } from '../plan/plan.ts';
import type { StoredRun } from '../store/read-run.ts';
import { toFailureData } from '../events/failure-data.ts';
import type { FailureData } from '../events/event.ts';
import { survivors } from '../workload/identity.ts';
import type { WorkloadFacts } from '../workload/facts.ts';
import { connectLeniently } from './connection.ts';
import { readProgress } from './read-progress.ts';
import { hostDirectoryOf } from './step-runner.ts';

/** How one criu of a run stands on its host. */
export interface HoldTruth {
  /** `absent`: it was never made ready, or is cleaned up; `armed`: it waits to be started. */
  readonly stands: 'absent' | 'armed' | 'working' | 'holds' | 'ended';
  readonly decision: 'commit' | 'abort' | 'none';
  /** The host was started again since: nothing that it held or restored can be alive. */
  readonly isFromEarlierBoot: boolean;
  /** There are images that criu has finished. */
  readonly hasImages: boolean;
}

export interface HostTruth {
  readonly host: string;
  /** Why it could not be asked. */
  readonly failure?: FailureData;
  readonly hold?: HoldTruth;
  /** The lock of this run there. */
  readonly lock?: ListedLock;
}

/** Where the workload of a run is, and what is left to do. */
export interface RunTruth {
  readonly runId: string;
  readonly source: HostTruth;
  readonly destination: HostTruth;
  readonly standing: Standing;
  /** A sentence for people. */
  readonly sentence: string;
  /** What to do next; undefined when there is nothing to do. */
  readonly command?: string;
}

export type Standing =
  /** It runs on the source, and nothing of the run is left. */
  | 'on-source'
  /** It runs on the source, and something of the run is left on the hosts. */
  | 'on-source-unfinished'
  /** It is frozen on the source, for as long as its lease lasts. */
  | 'frozen'
  /** The source's copy has ended, and the destination's waits. */
  | 'between'
  | 'on-destination'
  | 'on-destination-unfinished'
  | 'nowhere'
  | 'unknown';

/** Prints how a hold stands, its decision, whether it is of this boot, and whether there are images. Argument: its directory. */
const HOLD_TRUTH_SCRIPT: string = `
${BOOT_FUNCTION}
stands=absent boots=same images=none
[ ! -s "\${1%/*}/images/inventory.img" ] || images=whole
if cd "$1" 2> /dev/null; then
  stands=armed
  [ ! -f started ] || stands=working
  [ ! -f held ] || stands=holds
  if [ -e process/lock ] && flock -n -s process/lock true; then stands=ended; fi
  [ ! -f exit ] || stands=ended
  [ ! -f boot ] || [ "$(cat boot)" = "$(boot)" ] || boots=earlier
fi
read -r decision _ 2> /dev/null < decision || decision=none
echo "$stands $decision $boots $images"
`;

/** Asks both hosts; the journal only says what to ask for. Changes nothing. */
export async function inspectRun(run: StoredRun, sshConfigFile?: string): Promise<RunTruth> {
  const plan = run.plan as Plan;
  const { workload, movedInEpoch } = readProgress(run.records);
  const directory = hostDirectoryOf(run.runId, movedInEpoch);
  const connection = await connectLeniently(plan, sshConfigFile ?? run.header.sshConfigFile);
  try {
    const [source, destination] = await Promise.all([
      look(connection.source, run.runId, `${directory}/dump`),
      look(connection.destination, run.runId, `${directory}/restore`),
    ]);
    const truth = { runId: run.runId, source, destination };
    if (!workload) {
      return {
        ...truth,
        standing: 'on-source',
        sentence: 'Nothing was touched: the run ended before it found the workload.',
      };
    }
    const onSource = source.failure ? undefined : await survivors(connection.source, workload);
    const onDestination = destination.failure
      ? undefined
      : destination.hold?.isFromEarlierBoot === true
        ? []
        : await pidsAlive(connection.destination, workload);
    return { ...truth, ...judge(run.runId, directory, plan, source, destination, onSource, onDestination) };
  } finally {
    await connection.close();
  }
}

function judge(
  runId: string,
  directory: string,
  plan: Plan,
  source: HostTruth,
  destination: HostTruth,
  onSource: readonly number[] | undefined,
  onDestination: readonly number[] | undefined,
): Pick<RunTruth, 'standing' | 'sentence' | 'command'> {
  const resume = `criu-flow resume ${runId}`;
  const rollback = `criu-flow rollback ${runId}`;
  const isLeft = source.lock !== undefined || destination.lock !== undefined;
  const released = destination.hold?.decision === 'commit' || destination.hold?.stands === 'absent';
  if (onSource === undefined) {
    return {
      standing: 'unknown',
      sentence: `${plan.source} cannot be asked.`,
      command: `criu-flow status ${runId}`,
    };
  }
  if (onSource.length > 0) {
    if (source.hold?.stands === 'holds' && source.hold.decision === 'none') {
      return {
        standing: 'frozen',
        sentence: `The workload is frozen on ${plan.source}, and runs on there within 30 s if nobody decides.`,
        command: rollback,
      };
    }
    return isLeft
      ? {
          standing: 'on-source-unfinished',
          sentence: `The workload runs on ${plan.source}; the run has left something on the hosts.`,
          command: rollback,
        }
      : { standing: 'on-source', sentence: `The workload runs on ${plan.source}.` };
  }
  if (onDestination === undefined) {
    return {
      standing: 'unknown',
      sentence: `The workload is not on ${plan.source} any more, and ${plan.destination} cannot be asked.`,
      command: `criu-flow status ${runId}`,
    };
  }
  if (onDestination.length === 0) {
    return { standing: 'nowhere', ...wayBack(runId, directory, plan, source.hold, destination.hold) };
  }
  if (!released) {
    return {
      standing: 'between',
      sentence: `Nobody runs: the copy on ${plan.source} has ended, and the one on ${plan.destination} is whole and waits.`,
      command: resume,
    };
  }
  return isLeft
    ? {
        standing: 'on-destination-unfinished',
        sentence: `The workload runs on ${plan.destination}; the run has left something on the hosts.`,
        command: resume,
      }
    : { standing: 'on-destination', sentence: `The workload runs on ${plan.destination}.` };
}

/** What can still be done about a workload that runs nowhere. */
function wayBack(
  runId: string,
  directory: string,
  plan: Plan,
  source: HoldTruth | undefined,
  destination: HoldTruth | undefined,
): Pick<RunTruth, 'sentence' | 'command'> {
  const nowhere = `The workload runs neither on ${plan.source} nor on ${plan.destination}`;
  // The source may be cleaned up already.
  if (destination?.decision === 'commit' && destination.hasImages) {
    const since = destination.isFromEarlierBoot ? ' when the host was started again' : '';
    return {
      sentence: `The workload moved to ${plan.destination}, and ended there${since}. Its images, of the moment in which it moved, are in ${directory}/images: restoring them loses what it did since.`,
      command: `ssh ${plan.destination} sh ${directory}/restore/settle again`,
    };
  }
  if (source?.decision === 'commit' && destination?.hasImages === true) {
    return {
      sentence: `${nowhere}: the copy on ${plan.source} has ended, and its images are complete on ${plan.destination}.`,
      command: `criu-flow resume ${runId}`,
    };
  }
  if (source && source.decision !== 'commit' && source.hasImages) {
    return {
      sentence: `${nowhere}: its images are complete on ${plan.source}.`,
      command: `criu-flow rollback ${runId}`,
    };
  }
  return { sentence: `${nowhere}, and there are no images of it.` };
}

async function look(host: Host, runId: string, directory: string): Promise<HostTruth> {
  try {
    const [locks, { stdout }] = await Promise.all([
      listLocks(host),
      mustRunScript(host, HOLD_TRUTH_SCRIPT, [directory], { what: 'Looking at criu' }),
    ]);
    const [stands = '', decision = '', boots = '', images = ''] = stdout.trim().split(' ');
    const lock = locks.find((each) => each.runId === runId);
    return {
      host: host.name,
      hold: {
        stands: STANDS.find((each) => each === stands) ?? 'absent',
        decision: decision === 'commit' || decision === 'abort' ? decision : 'none',
        isFromEarlierBoot: boots === 'earlier',
        hasImages: images === 'whole',
      },
      ...(lock ? { lock } : {}),
    };
  } catch (error) {
    return { host: host.name, failure: toFailureData(error) };
  }
}

const STANDS = ['absent', 'armed', 'working', 'holds', 'ended'] as const;

/** Those of the workload's pids that are in use there: a restored process has another start time. */
async function pidsAlive(host: Host, workload: WorkloadFacts): Promise<number[]> {
  const pids = workload.processes.map(({ pid }) => String(pid));
  const { stdout } = await mustRunScript(
    host,
    'for pid; do [ ! -d "/proc/$pid" ] || echo "$pid"; done',
    pids,
    { what: 'Looking at the workload' },
  );
  return stdout.split('\n').filter(Boolean).map(Number);
}
