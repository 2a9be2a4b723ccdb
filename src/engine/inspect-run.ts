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

/** Prints how a hold stands, and its decision. Argument: its directory. */
const HOLD_TRUTH_SCRIPT = `
stands=absent
if cd "$1" 2> /dev/null; then
  stands=armed
  [ ! -f started ] || stands=working
  [ ! -f held ] || stands=holds
  if [ -e process/lock ] && flock -n -s process/lock true; then stands=ended; fi
  [ ! -f exit ] || stands=ended
fi
read -r decision _ 2> /dev/null < decision || decision=none
echo "$stands $decision"
`;

/** Asks both hosts; the journal only says what to ask for. Changes nothing. */
export async function inspectRun(run: StoredRun, sshConfigFile?: string): Promise<RunTruth> {
  const plan = run.plan as Plan;
  const { workload } = readProgress(run.records);
  const connection = await connectLeniently(plan, sshConfigFile ?? run.header.sshConfigFile);
  try {
    const [source, destination] = await Promise.all([
      look(connection.source, run.runId, 'dump'),
      look(connection.destination, run.runId, 'restore'),
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
    const onDestination = destination.failure ? undefined : await pidsAlive(connection.destination, workload);
    return { ...truth, ...judge(run.runId, plan, source, destination, onSource, onDestination) };
  } finally {
    await connection.close();
  }
}

function judge(
  runId: string,
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
    return {
      standing: 'nowhere',
      sentence: `The workload runs neither on ${plan.source} nor on ${plan.destination}.`,
    };
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

async function look(host: Host, runId: string, what: 'dump' | 'restore'): Promise<HostTruth> {
  try {
    const directory = `${hostDirectoryOf(runId)}/${what}`;
    const [locks, { stdout }] = await Promise.all([
      listLocks(host),
      mustRunScript(host, HOLD_TRUTH_SCRIPT, [directory], { what: 'Looking at criu' }),
    ]);
    const [stands = '', decision = ''] = stdout.trim().split(' ');
    const lock = locks.find((each) => each.runId === runId);
    return {
      host: host.name,
      hold: {
        stands: STANDS.find((each) => each === stands) ?? 'absent',
        decision: decision === 'commit' || decision === 'abort' ? decision : 'none',
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
