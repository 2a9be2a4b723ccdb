import { hasEnded } from '../checkpoint/look-up.ts';
import { lazyPagesArguments, lazyRestoreArguments, restoreArguments } from '../criu/arguments.ts';
import { criuFailure } from '../criu/failure.ts';
import { CriuHold, describeEnd, type Recovery } from '../criu/hold.ts';
import { endWorkload, giveUpFetch, lookAtFetch, untilFetched } from '../criu/lazy-pages.ts';
import { SETTLE_RESTORE_SCRIPT } from '../criu/settle-script.ts';
import { FILES_SYNCED_MARK } from '../criu/whole-images.ts';
import { FlowError } from '../errors/flow-error.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import {
  ADDRESS_BACK_SCRIPT,
  ADDRESS_OFF_SCRIPT,
  ADDRESS_REMOVE_SCRIPT,
  HOLD_OVER,
  LIFT_FENCE_SCRIPT,
} from '../network/address-script.ts';
import { FENCE_SCRIPT, fenceTable, LIFT_BOTH_SCRIPT, serviceFence } from '../network/fence.ts';
import { endOrphanSockets } from '../network/orphan-sockets.ts';
import { isPostCopied, isStreamed } from '../plan/plan.ts';
import { readManifest, requireSameImages } from '../transfer/manifest.ts';
import { criuNeeds } from '../workload/criu-needs.ts';
import type { WorkloadFacts } from '../workload/facts.ts';
import { scopeOf } from '../workload/scope.ts';
import { abortSource } from './abort-source.ts';
import { criuOptions, restoreHold } from './criu-options.ts';
import { stagedFiles } from './staged-files.ts';
import { imagesDirectory, type StepContext, type StepType } from './step.ts';
import { placeRefused, takePlace } from './take-place.ts';

/**
 * Seconds of silence after which the rebuilt workload is given up, unless the commit has begun: longer than the source's,
 * which lets the workload run on first.
 */
const LEASE_SECONDS = 60;

/**
 * Rebuild the workload on the destination and hold it before its first instruction. The service address is moved
 * meanwhile; both hosts drop its traffic.
 */
export const restore: StepType = {
  timeoutMs: 120_000,
  async arm(context) {
    const { destination, plan, state, attemptId, runDirectory } = context;
    const address = plan.network.address;
    const lift = address && {
      script: LIFT_FENCE_SCRIPT,
      values: [fenceTable(attemptId), address.cidr, address.device],
    };
    const fence = address && serviceFence(attemptId, address.cidr, 'both');
    const workload = state.checkpoint?.workload ?? state.workload;
    if (!workload) throw new Error('restore: no workload was read');
    const directory = restoreHold(runDirectory);
    const options = criuOptions(context, directory, criuNeeds(workload));
    const isLazy = isPostCopied(plan);
    const recovery: Recovery = {
      script: SETTLE_RESTORE_SCRIPT,
      tasks: workload.processes,
      ...(!isLazy && { again: restoreArguments(options, 'again.log') }),
    };
    const { pageServerPort: port } = state;
    state.destinationHold = await CriuHold.prepare(
      destination,
      directory,
      {
        leaseSeconds: LEASE_SECONDS,
        recovery,
        endsAtAbort: true,
        scope: scopeOf(workload, attemptId),
        isInScope: true,
        ...(isLazy && port !== undefined && { lazyPages: lazyPagesArguments(options, port) }),
        ...(lift && { onResume: lift }),
        ...(fence && { fence }),
      },
      ({ actionScript }) => (isLazy ? lazyRestoreArguments : restoreArguments)({ ...options, actionScript }),
    );
    const supervised = state.destinationHold.untilSupervised();
    // Awaited below, unless something else fails first.
    supervised.catch(() => undefined);
    if (fence) {
      await mustRunScript(destination, FENCE_SCRIPT, [], {
        what: 'Putting up the fence',
        stdin: fence.text,
      });
    }
    if (address) await endOrphanSockets(destination, address.cidr);
    warnOfLimits(context, workload, await supervised);
  },
  main: {
    async run(context) {
      const { state, signal } = context;
      const { destinationHold: hold, dumpedImages } = state;
      if (!hold || !dumpedImages) throw new Error('restore: not prepared');
      context.phase('restore');
      state.restoreBegan = true;
      // Nothing runs before the commit, and both hosts drop the traffic of the address: the address may leave the
      // source, and the digests may be compared, while criu rebuilds.
      // criu may wait for ever for what wrong images lack.
      const wrong = new AbortController();
      const [noted, intact, left, started] = await Promise.allSettled([
        state.arrivalNoted,
        checkImages(context, hold.host, dumpedImages).catch((error: unknown) => {
          wrong.abort(error);
          throw error;
        }),
        takeAddressOffSource(context),
        hold.start(AbortSignal.any([signal, wrong.signal]), takePlace(context)),
      ]);
      // Wrong images are the cause of whatever criu says about them.
      for (const result of [noted, intact, left, started])
        if (result.status === 'rejected') throw result.reason;
      const held = started.status === 'fulfilled' ? started.value : undefined;
      if (held?.kind === 'refused') throw placeRefused(context, held);
      if (held && held.kind !== 'held') {
        throw await criuFailure('RESTORE_FAILED', hold, 'restore', describeEnd(held), context.keep);
      }
      if (held) state.criuMs = { ...state.criuMs, restore: held.criuMs };
      return undefined;
    },
    undo: {
      title: 'let the workload run on at the source, undo the restore on the destination',
      restoreTitle: 'undo the restore',
      run: undoRestore,
    },
  },
  cleanUps: [{ on: 'destination', run: cleanUpDestination }],
};

/** Says what of the cgroups of a workload is not the same on the destination. */
function warnOfLimits(
  { destination, warn }: StepContext,
  { cgroup }: WorkloadFacts,
  isInScope: boolean,
): void {
  const limits = Object.keys(cgroup?.limits ?? {});
  if (!cgroup || cgroup.isShared || limits.length === 0) return;
  if (!isInScope) {
    warn(
      `${destination.name} has no systemd, which would set the limits of the workload's cgroup ${cgroup.path} there (${limits.join(', ')}): it runs without them.`,
    );
  } else if (cgroup.outside.length > 0) {
    warn(
      `Processes ${cgroup.outside.join(', ')} of the workload are in another cgroup than ${cgroup.path}: on ${destination.name} all are in one, with the limits of that.`,
    );
  }
}

async function cleanUpDestination(context: StepContext): Promise<void> {
  const { destination, attemptId, state } = context;
  await state.destinationHold?.decide('abort');
  if (context.plan.network.address) {
    await mustRunScript(destination, `${LIFT_BOTH_SCRIPT} 2> /dev/null; :`, [fenceTable(attemptId)], {
      what: 'Taking the fence down',
    });
  }
  if (state.committed && state.destinationHold) await warnOfRefusedLimits(context, state.destinationHold);
}

/** That it is limited is no matter of whether it runs. */
async function warnOfRefusedLimits(
  { source, destination, warn }: StepContext,
  hold: CriuHold,
): Promise<void> {
  try {
    const refused = await hold.untilLimited();
    if (refused.length === 0) return;
    const limits = refused.join(', ');
    warn(`systemd on ${destination.name} did not limit the workload as it was on ${source.name}: ${limits}`);
  } catch {
    warn(
      `It was not seen whether the workload on ${destination.name} is limited as it was on ${source.name}.`,
    );
  }
}

async function takeAddressOffSource({ plan, source, state }: StepContext): Promise<void> {
  const address = plan.network.address;
  if (!address || !state.sourceHold) return;
  // Of a revert: whose host was started again may have lost it, and nobody there needs it back at an abort.
  if (state.workload && hasEnded(state.workload)) {
    await mustRunScript(source, ADDRESS_REMOVE_SCRIPT, [address.cidr, address.device], {
      what: 'Taking the address off the source',
    });
    return;
  }
  const { exitCode } = await mustRunScript(
    source,
    ADDRESS_OFF_SCRIPT,
    [state.sourceHold.directory, address.cidr, address.device, ADDRESS_BACK_SCRIPT],
    { what: 'Taking the address off the source', allow: [HOLD_OVER] },
  );
  if (exitCode === 0) return;
  throw new FlowError('HOLD_LOST', `The hold on ${source.name} was aborted before the workload could move`, {
    host: source.name,
    hint: 'Its criu was killed, or the controller was silent for too long.',
  });
}

/**
 * Order matters: the source decides first, since only a source that will not commit makes the destination's copy one too
 * many. It runs on at once, with its address, while the destination's copy, which is held and fenced, is undone.
 */
async function undoRestore(context: StepContext): Promise<void> {
  const { state } = context;
  const { sourceHold } = state;
  if (sourceHold) await abortSource(context, sourceHold);
  try {
    await undoOnDestination(context);
  } catch (error) {
    // As far as is known it has nothing but staged copies.
    const isLost = error instanceof FlowError && error.code === 'HOST_UNREACHABLE';
    if (!isLost || state.restoreBegan) throw error;
  }
}

/**
 * Of a source that had committed, and which a person lets run on: ends the copy on the destination, if it still waits for memory.
 * @returns whether it has ended
 */
async function endFetch(
  { plan, state, signal }: StepContext,
  { host, directory }: CriuHold,
): Promise<boolean> {
  if (!isPostCopied(plan) || !state.workload) return false;
  if ((await lookAtFetch(host, directory)) === 'fetching') {
    await giveUpFetch(host, directory);
    await untilFetched(host, directory, signal);
  }
  if ((await CriuHold.of(host, directory).findRestored(state.workload.rootPid)) !== 'gone') return false;
  await endWorkload(host, directory);
  return true;
}

async function undoOnDestination(context: StepContext): Promise<void> {
  const { destination, plan, state } = context;
  const { destinationHold: hold } = state;
  if (hold) {
    const { decision, settled } = await hold.decide('abort');
    const wasEnded = isPostCopied(plan) && (settled === 'ended' || settled === 'gone');
    if (decision === 'commit' && !wasEnded && !(await endFetch(context, hold))) {
      throw new FlowError('RESUME_REFUSED', `${destination.name} was already told to let its copy run`, {
        host: destination.name,
        hint: 'It may be the only one: it is not ended.',
      });
    }
    // criu kills what it restored when its hold aborts, or else its recovery does; helpers of criu's own are neither's.
    await hold.endRemains();
  }
  const address = plan.network.address;
  if (!address) return;
  await mustRunScript(destination, ADDRESS_REMOVE_SCRIPT, [address.cidr, address.device], {
    what: 'Taking the address off the destination',
  });
}

async function checkImages(
  context: StepContext,
  destination: Host,
  dumpedImages: Promise<string>,
): Promise<void> {
  const [dumped, arrived] = await Promise.all([
    dumpedImages,
    readManifest(destination, imagesDirectory(context), context.signal, {
      files: stagedFiles(context),
      mark: FILES_SYNCED_MARK,
    }),
  ]);
  requireSameImages(dumped, arrived, destination.name, { isStreamed: isStreamed(context.plan) });
}
