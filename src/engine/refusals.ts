import { FlowError } from '../errors/flow-error.ts';
import type { FailureData } from '../events/event.ts';
import type { FlowCommand } from '../store/flow-command.ts';

/** There is nothing to take back any more. */
export function pastCommit(runId: string, command: FlowCommand): FlowError {
  return new FlowError('RESUME_REFUSED', `Run ${runId} is past its commit point: there is no way back`, {
    hint: "The source's copy may not run any more. What is left to do is to let the destination's copy run.",
    command: command('resume'),
  });
}

/** A run directory that does not know the end of its run must not undo it. */
export function nothingToTakeBack(runId: string, source: string, command: FlowCommand): FlowError {
  return new FlowError(
    'RESUME_REFUSED',
    `Nothing of run ${runId} is left on ${source}, nor is its workload`,
    {
      host: source,
      hint: 'It has moved, or has ended since. This directory of the run does not know its end: it is an older copy, or its disk was full. Nothing was taken back.',
      command: command('status'),
    },
  );
}

/** What is left on the hosts, with the command that cleans it up later. */
export function leftBehind(left: readonly FailureData[], command: string): FailureData {
  // What says of itself why it must stay comes first.
  const first = left.find(({ code }) => code === 'CLEAN_UP_FAILED') ?? left[0];
  const hosts = [...new Set(left.map(({ host }) => host ?? 'a host'))].join(' and ');
  return {
    code: 'CLEAN_UP_FAILED',
    message: `Something of the run is left on ${hosts}`,
    ...(first?.host === undefined ? {} : { host: first.host }),
    evidence: first?.message ?? '',
    hint: `${first?.code === 'CLEAN_UP_FAILED' ? first.hint : 'The workload is not concerned.'} The lock there stays until it is cleaned up.`,
    command: (first?.code === 'CLEAN_UP_FAILED' ? first.command : undefined) ?? command,
  };
}
