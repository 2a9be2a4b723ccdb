import type { FailureData, RunOutcome, ToDo } from '../events/event.ts';
import { commandOn } from '../host/command-on.ts';
import type { RunState } from '../steps/step.ts';
import type { FlowCommand } from '../store/flow-command.ts';
import type { Connection } from './connection.ts';

/** How an attempt ended. */
export interface AttemptEnd {
  readonly outcome: RunOutcome;
  readonly failure: FailureData | undefined;
  readonly undoFailures: readonly FailureData[];
}

/** What a person is to do about a run that needs one: look, mend what failed, then go on with the run. */
export function toDoOf(
  { outcome, failure, undoFailures }: AttemptEnd,
  { workload, committed }: RunState,
  { source, destination }: Pick<Connection, 'source' | 'destination'>,
  command: FlowCommand,
): ToDo | undefined {
  const status = command('status');
  if (outcome === 'superseded') return { look: [status], mend: [] };
  if (outcome !== 'rollback-incomplete' && outcome !== 'locked') return undefined;
  const ps = ['ps', '-o', 'pid,stat,etime,args', '-p', String(workload?.rootPid)];
  const hosts = workload ? [source, destination] : [];
  const failures = [...(failure ? [failure] : []), ...undoFailures];
  const asked = failures.flatMap((each) => each.command ?? []).filter((each) => each !== status);
  // After a person has let the source's copy run on, there is only the way back.
  const isBack = !committed || failures.some(({ code }) => code === 'MEMORY_LOST');
  const goOn = command(isBack ? 'rollback' : 'resume');
  // The other run is only to be looked at.
  if (outcome === 'locked') return { look: [...new Set(asked)], mend: [goOn] };
  // What was refused says itself how to go on; of a workload that is lost on the source nothing is left to take back.
  const isRefused = failures.some(
    ({ code }) => code === 'RESUME_REFUSED' || (code === 'WORKLOAD_LOST' && !committed),
  );
  return {
    look: [...new Set(hosts.map((host) => commandOn(host, ps))), status],
    mend: [...new Set([...asked, ...(isRefused ? [] : [goOn])])],
  };
}
