import { quoteArguments } from '../host/quote.ts';
import { type Controller, stateOf } from '../lock/controller.ts';
import type { ListedLock } from '../lock/workload-lock.ts';
import { sanitizeLine } from '../report/sanitize.ts';

/** A lock, and the host that has it. */
export interface LockOnHost {
  readonly host: string;
  readonly lock: ListedLock;
}

export interface LockAdviceOptions {
  /** By which the hosts were reached. */
  readonly sshConfigFile?: string | undefined;
  /** Whether the directory of a run is on this machine. */
  readonly isHere: (runId: string) => boolean;
}

/**
 * What to do about locks whose controller has ended, or is not seen from here, in lines for people, safe to print. Empty when
 * there is none.
 */
export function lockAdvice(locks: readonly LockOnHost[], options: LockAdviceOptions): readonly string[] {
  const byRun = new Map<string, LockOnHost[]>();
  for (const each of locks) byRun.set(each.lock.runId, [...(byRun.get(each.lock.runId) ?? []), each]);
  return [...byRun].flatMap(([runId, held]) => adviceOnRun(runId, held, options));
}

function adviceOnRun(
  runId: string,
  held: readonly LockOnHost[],
  { sshConfigFile, isHere }: LockAdviceOptions,
): readonly string[] {
  const controller = held.find(({ lock }) => lock.controller)?.lock.controller;
  const works = controller ? stateOf(controller) : 'elsewhere';
  if (works === 'alive') return [];
  const isVoid = held.every(({ lock }) => lock.isVoid);
  const isKnown = isHere(runId);
  const look = [
    '',
    sanitizeLine(`${standing(runId, works, isVoid)} ${whereToLook(controller, isKnown)}`),
    toPaste('status', runId),
  ];
  // Whoever has the directory can bring the run to its end; one that may be at work is nobody else's.
  if (isKnown || (works === 'elsewhere' && !isVoid)) return look;
  const config = sshConfigFile === undefined ? [] : ['--ssh-config', sshConfigFile];
  const hosts = held.map(({ host }) => host);
  const reason = ['--reason', 'its run directory is lost'];
  return [
    ...look,
    'Only when that directory is lost, and the workload is seen to, its locks are given up by hand:',
    toPaste('unlock', ...config, ...reason, '--', runId, ...hosts),
  ];
}

function toPaste(...words: readonly string[]): string {
  return `  ${sanitizeLine(quoteArguments(['criu-flow', ...words]))}`;
}

function standing(runId: string, works: ReturnType<typeof stateOf>, isVoid: boolean): string {
  const age = isVoid ? '; its locks are void, and go when another run begins there' : '';
  return works === 'ended'
    ? `Run ${runId} has no controller any more${age}.`
    : `Whether run ${runId} is at work cannot be seen from here${age}.`;
}

function whereToLook(controller: Controller | undefined, isKnown: boolean): string {
  if (isKnown) return 'How it stands, and what to do next:';
  const place = controller ? `with ${controller.user} on ${controller.machine}` : 'where its directory is';
  return `How it stands, and what to do next, this says ${place}:`;
}
