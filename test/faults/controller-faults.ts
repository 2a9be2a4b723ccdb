import { setTimeout as sleep } from 'node:timers/promises';
import { type Fault, HIT } from './fault.ts';

export const controllerKilled: Fault = {
  title: 'controller SIGKILL',
  async inject({ run }) {
    run.signal('SIGKILL');
    const { exitCode } = await run.ended;
    return exitCode === null ? HIT : OVER;
  },
};

export const controllerTerminated: Fault = {
  title: 'controller SIGTERM',
  inject: async ({ run }) => (run.signal('SIGTERM') ? HIT : OVER),
};

const OVER = { missed: 'the run is over' };

/** Milliseconds for which a controller is frozen: mostly less than the lease of the source, seldom more than it. */
const LONGEST_FREEZE_MS = 8000;
const PAST_LEASE_MS = 33_000;

export const controllerFrozen: Fault = {
  title: 'controller frozen',
  async inject({ run, random }) {
    if (!run.signal('SIGSTOP')) return OVER;
    const isLong = random() < 0.2;
    await sleep(isLong ? PAST_LEASE_MS : random() * LONGEST_FREEZE_MS);
    // It had ended before it could be stopped.
    return run.signal('SIGCONT') ? HIT : OVER;
  },
};

/** Milliseconds after which a frozen controller wakes up, at the latest, while another one takes its run over. */
const LONGEST_TAKE_OVER_MS = 6000;

/** Another one takes the run over from a controller that is frozen, and wakes up meanwhile or afterwards. */
export const controllerTakenOver: Fault = {
  title: 'controller frozen and taken over from',
  async inject({ controller, run, random }) {
    if (!run.signal('SIGSTOP')) return OVER;
    const id = controller.newestRun();
    const verb = random() < 0.5 ? 'rollback' : 'resume';
    const wakesMeanwhile = random() < 0.3;
    const wakesAfterMs = random() * LONGEST_TAKE_OVER_MS;
    const other = id === undefined ? undefined : controller.paste(`criu-flow ${verb} ${id} --take-over`);
    await Promise.race([other?.ended, ...(wakesMeanwhile ? [sleep(wakesAfterMs)] : [])]);
    const wasStopped = run.signal('SIGCONT');
    const taken = await other?.ended;
    if (!taken || !wasStopped) return OVER;
    // Past the commit point there is nothing to roll back.
    return taken.exitCode === 4 ? { missed: 'it is refused' } : HIT;
  },
};
