import { FlowError } from '../errors/flow-error.ts';
import type { Host } from '../host/host.ts';
import { quoteArguments } from '../host/quote.ts';
import { mustRunScript } from '../host/shell.ts';
import { type Controller, describeHolder, parseController, stateOf, thisController } from './controller.ts';
import { guardedHost } from './guarded-host.ts';
import { BOOT_SCRIPT, BREAK_SCRIPT, LIST_SCRIPT, LOCK_SCRIPT, UNLOCK_SCRIPT } from './lock-scripts.ts';

/** Where a host keeps the locks of runs. */
const LOCKS_DIRECTORY = '/var/lib/criu-flow/locks';

/** Who has a lock on a host. */
export interface Holder {
  readonly runId: string;
  /** Undefined when the file does not say: it was written by another version. */
  readonly controller: Controller | undefined;
}

/** A lock as a host lists it. */
export interface ListedLock extends Holder {
  readonly pids: readonly number[];
  readonly epoch: number;
  /** From before the host's last boot: it stands for nothing. */
  readonly isVoid: boolean;
}

/**
 * Takes the lock of a run on one host: no other run can have these process ids there, and no controller of this run with
 * a lower epoch can do anything there.
 * @returns the host, each of whose commands looks at the epoch first, and what tells its boot from others
 * @throws FlowError LOCKED, with who holds it; SUPERSEDED when this run has that epoch or a higher one
 */
export async function lockWorkload(
  host: Host,
  lock: { readonly runId: string; readonly epoch: number; readonly pids: readonly number[] },
): Promise<{ readonly host: Host; readonly boot: string }> {
  const { runId, epoch, pids } = lock;
  const result = await mustRunScript(
    host,
    LOCK_SCRIPT,
    [LOCKS_DIRECTORY, runId, String(epoch), JSON.stringify(thisController()), ...pids.map(String)],
    { what: 'Locking the workload', allow: [3, 4] },
  );
  if (result.exitCode !== 0) {
    const [other = '', , , holder = ''] = result.stdout.split('\n');
    const found = { runId: other, controller: readHolder(holder) };
    throw result.exitCode === 3 ? lockedError(host, found) : supersededError(host, found);
  }
  return {
    host: guardedHost(host, `${LOCKS_DIRECTORY}/${runId}`, epoch),
    boot: result.stdout.trim(),
  };
}

/** What tells a host's boot from others, as {@link lockWorkload} has it. Changes nothing. */
export async function readBoot(host: Host): Promise<string> {
  const { stdout } = await mustRunScript(host, BOOT_SCRIPT, [], { what: 'Reading the boot' });
  return stdout.trim();
}

/** Gives it up, unless a higher epoch has taken it over. Idempotent. */
export async function unlockWorkload(host: Host, runId: string, epoch: number): Promise<void> {
  await mustRunScript(host, UNLOCK_SCRIPT, [LOCKS_DIRECTORY, runId, String(epoch)], {
    what: 'Giving up the lock',
  });
}

/**
 * Takes a lock away, whoever has it. The reason goes into the host's system log, where it has one: logger(1).
 */
export async function breakLock(host: Host, runId: string, reason: string): Promise<void> {
  await mustRunScript(host, BREAK_SCRIPT, [LOCKS_DIRECTORY, runId, '', reason], {
    what: 'Taking the lock away',
  });
}

/** Every lock on a host. */
export async function listLocks(host: Host): Promise<ListedLock[]> {
  const { stdout } = await mustRunScript(host, LIST_SCRIPT, [LOCKS_DIRECTORY], { what: 'Reading the locks' });
  const lines = stdout.split('\n').slice(0, -1);
  const locks: ListedLock[] = [];
  for (let at = 0; at + 4 < lines.length; at += 5) {
    const [runId = '', pids = '', epoch = '', boots = '', holder = ''] = lines.slice(at, at + 5);
    locks.push({
      runId,
      pids: pids.trim().split(' ').filter(Boolean).map(Number),
      epoch: Number(epoch),
      isVoid: boots !== 'same',
      controller: readHolder(holder),
    });
  }
  return locks;
}

function lockedError(host: Host, holder: Holder): FlowError {
  return new FlowError('LOCKED', `Run ${holder.runId} has the process ids of this workload on ${host.name}`, {
    host: host.name,
    evidence: describeHolder(holder.controller),
    hint: `Wait for its end. The command says how it stands${placeOf(holder)}.`,
    command: quoteArguments(['criu-flow', 'status', holder.runId]),
  });
}

/** Its directory is with its controller. */
function placeOf({ controller }: Holder): string {
  if (!controller || stateOf(controller) !== 'elsewhere') return '';
  return `, when ${controller.user} pastes it on ${controller.machine}`;
}

function supersededError(host: Host, holder: Holder): FlowError {
  return new FlowError('SUPERSEDED', `Run ${holder.runId} was taken up by somebody else, says ${host.name}`, {
    host: host.name,
    evidence: describeHolder(holder.controller),
    hint: 'Leave it to them: from here nothing more is done.',
  });
}

function readHolder(text: string): Controller | undefined {
  try {
    return parseController(JSON.parse(text));
  } catch {
    return undefined;
  }
}
