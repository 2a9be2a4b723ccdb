import type { RunSummary } from '../events/event.ts';
import type { GoOn, SequenceRunEnd } from '../events/sequence-event.ts';

/**
 * How a person goes on with a sequence that stopped at a run.
 * @param end what has become of that run; undefined when it was not begun
 * @param count how many runs the sequence has
 */
export function goOnOf(
  number: number,
  end: SequenceRunEnd | undefined,
  count: number,
  commandFrom: ((number: number) => string) | undefined,
): GoOn {
  const workload = movedOf(end);
  return {
    run: number,
    workload,
    first: end?.state === 'ended' && workload !== 'not-moved' ? toDoFirst(end.summary) : [],
    ...(commandFrom && workload !== 'moved' ? { again: commandFrom(number) } : {}),
    ...(commandFrom && number < count ? { next: commandFrom(number + 1) } : {}),
  };
}

/** A run that moved its workload back has the summary of the way back: only the names of the hosts tell where it is. */
function movedOf(end: SequenceRunEnd | undefined): GoOn['workload'] {
  if (end?.state === 'failed') return end.failure.code === 'BUG' ? 'unknown' : 'not-moved';
  if (end?.state !== 'ended') return 'not-moved';
  const { summary } = end;
  const { kind, outcome, workloadIsOn } = summary;
  if (kind !== 'move') {
    if (outcome === 'moved-but-missed') return 'moved';
    return outcome === 'refused' || outcome === 'rolled-back' ? 'not-moved' : 'unknown';
  }
  // Another controller, or a person, is to bring it to its end: where it runs now is not where it will.
  if (outcome === 'rollback-incomplete' || outcome === 'superseded' || outcome === 'locked') return 'unknown';
  if (workloadIsOn === 'source' || workloadIsOn === 'destination') {
    return summary[workloadIsOn] === end.destination ? 'moved' : 'not-moved';
  }
  const isTheWayThere = summary.source === end.source;
  return isTheWayThere && (outcome === 'refused' || outcome === 'rolled-back') ? 'not-moved' : 'unknown';
}

function toDoFirst({ toDo, failure, undoFailures }: RunSummary): readonly string[] {
  if (toDo) return toDo.mend.length > 0 ? toDo.mend : toDo.look;
  return [
    ...new Set([...(failure ? [failure] : []), ...undoFailures].flatMap(({ command }) => command ?? [])),
  ];
}
