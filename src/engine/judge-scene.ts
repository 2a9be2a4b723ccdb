import type { FailureData } from '../events/event.ts';
import type { ListedLock } from '../lock/workload-lock.ts';
import { isPostCopied, type Plan } from '../plan/plan.ts';
import type { FlowCommand } from '../store/flow-command.ts';
import type { LostOnSource } from './forgotten.ts';
import { type KeptImages, stillKept } from './kept-images.ts';

/** How one criu of a run stands on its host. */
export interface HoldTruth {
  /** `absent`: it was never made ready, or is cleaned up; `armed`: it waits to be started. */
  readonly stands: 'absent' | 'armed' | 'working' | 'holds' | 'ended';
  readonly decision: 'commit' | 'abort' | 'none';
  /** The host was started again since: nothing that it held or restored can be alive. */
  readonly isFromEarlierBoot: boolean;
  /** There are images that criu has finished. */
  readonly hasImages: boolean;
  /** The host was started again before they had digests, and nobody has said yet that they will do. */
  readonly areImagesUnsure: boolean;
  /** What a restore needs was put in its place: files and address. */
  readonly isPlaced: boolean;
  /** It has frozen tasks whose memory is fetched by another copy, and not all of it was. */
  readonly hasMemory: boolean;
  /** Clock ticks since boot at which criu was told to start; undefined when it was not. */
  readonly startedAtTicks?: number;
}

export interface HostTruth {
  readonly host: string;
  /** Why it could not be asked. */
  readonly failure?: FailureData;
  readonly hold?: HoldTruth;
  /** The lock of this run there. */
  readonly lock?: ListedLock;
}

type Standing =
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

/** Where the workload is alive, and what to do next; in words. */
export interface Verdict {
  readonly standing: Standing;
  /** A sentence for people. */
  readonly sentence: string;
  /** What to do next; undefined when there is nothing to do. */
  readonly command?: string;
}

/** What was found, to be judged. */
export interface Scene {
  readonly command: FlowCommand;
  readonly directory: string;
  readonly plan: Plan;
  readonly source: HostTruth;
  readonly destination: HostTruth;
  /** The pids of the workload that are alive there; undefined when the host cannot be asked. */
  readonly onSource: readonly number[] | undefined;
  readonly onDestination: Found | undefined;
  /** Restores it there from its images, by hand. */
  readonly restoreCommand: string;
  /** Lets a copy on the source run on that is stopped since its memory was to be fetched. */
  readonly runOnCommand: string;
  /** Says on the source that its images will do, though nobody can tell whether they are whole. */
  readonly uncheckedCommand: string;
  /** As the journal knows. */
  readonly sourceHasEnded: boolean;
  /** Of both hosts, as the journal knows. */
  readonly cleanUp: 'not begun' | 'unfinished' | 'done';
  /** Why a source that answers cannot bring its copy back, which has ended. */
  readonly lostOnSource: LostOnSource | undefined;
  /** The images that a run kept which was to be reverted. */
  readonly kept: KeptImages | undefined;
}

/** `by: 'likeness'`: there is nothing to know it by but its pid and command line. */
export interface Found {
  readonly pids: readonly number[];
  readonly by: 'hold' | 'journal' | 'likeness';
}

/** Says of what was found where the workload is, and what is left to do. Pure. */
export function judge(scene: Scene): Verdict {
  const { command, plan, source, destination, onSource, onDestination } = scene;
  if (plan.kind !== 'move') return judgeOneHost(scene);
  const mayBeLeft = destination.failure !== undefined && scene.cleanUp === 'unfinished';
  const isLeft = source.lock !== undefined || destination.lock !== undefined || mayBeLeft;
  const released = destination.hold?.decision === 'commit' || destination.hold?.stands === 'absent';
  if (onSource === undefined) return judgeWithoutSource(scene);
  if (onSource.length > 0) {
    if (source.hold?.hasMemory === true) {
      if (source.hold.decision === 'commit') return judgePostCopy(scene);
      if (
        source.hold.decision === 'abort' &&
        destination.hold?.decision === 'commit' &&
        isThere(onDestination)
      ) {
        return {
          standing: 'unknown',
          sentence: `TWO COPIES of the workload are alive: on ${plan.source}, where a person has let it run on, and on ${plan.destination}. If the latter still waits for memory, this ends it; otherwise end one of them.`,
          command: command('rollback'),
        };
      }
    }
    if (source.hold?.stands === 'holds' && source.hold.decision === 'none' && isRevert(plan)) {
      return {
        standing: 'on-source-unfinished',
        sentence: `The workload runs on ${plan.source}, was to be ended there, and has its address back within 30 s if nobody decides.`,
        command: command('rollback'),
      };
    }
    if (source.hold?.stands === 'holds' && source.hold.decision === 'none') {
      return {
        standing: 'frozen',
        sentence: `The workload is frozen on ${plan.source}, and runs on there within 30 s if nobody decides.`,
        command: command('rollback'),
      };
    }
    return isLeft
      ? {
          standing: 'on-source-unfinished',
          sentence: `The workload runs on ${plan.source}; the run has left something on the hosts.`,
          command: command('rollback'),
        }
      : { standing: 'on-source', sentence: `The workload runs on ${plan.source}.` };
  }
  if (onDestination === undefined) {
    return {
      standing: 'unknown',
      sentence: `The workload is not on ${plan.source} any more, and ${plan.destination} cannot be asked.`,
      command: command('status'),
    };
  }
  const hasCommitted = source.hold?.decision === 'commit' || scene.sourceHasEnded;
  const { lostOnSource } = scene;
  if (lostOnSource && !released && !hasCommitted && destination.hold?.hasImages === true) {
    const why = {
      forgotten: `${plan.source} was started again, and has nothing of the run any more`,
      imageless: `the copy on ${plan.source} has ended, and its memory is on ${plan.destination} only`,
      unsure: `${plan.source} was started again before its images and files were on its disk, and parts of them may be lost`,
    }[lostOnSource];
    return {
      standing: onDestination.pids.length > 0 ? 'between' : 'nowhere',
      sentence: `Nobody runs: ${why}. The images on ${plan.destination} are whole, of the moment in which it was frozen.`,
      command: command('resume', '--source-is-gone'),
    };
  }
  if (onDestination.pids.length === 0) {
    return { standing: 'nowhere', ...wayBack(scene) };
  }
  if (!released && !hasCommitted) {
    if (isRevert(plan)) return { standing: 'between', ...imagesAreKept(scene) };
    const when = source.hold?.isFromEarlierBoot === true ? ' when the host was started again' : '';
    return {
      standing: 'between',
      sentence: `Nobody runs: the copy on ${plan.source} ended${when}, before the commit, and the one on ${plan.destination} waits.${source.hold?.hasImages === true ? ` Images of it are complete on ${plan.source}.` : ''}`,
      command: command('rollback'),
    };
  }
  if (!released) {
    return {
      standing: 'between',
      sentence: `Nobody runs: the copy on ${plan.source} has ended, and the one on ${plan.destination} is whole and waits.`,
      command: command('resume'),
    };
  }
  if (isLeft) {
    return {
      standing: 'on-destination-unfinished',
      sentence: `The workload runs on ${plan.destination}; the run has left something on the hosts.`,
      command: command('resume'),
    };
  }
  return { standing: 'on-destination', sentence: runsOnDestination(plan, onDestination) };
}

function isThere(found: Found | undefined): boolean {
  return found !== undefined && found.pids.length > 0;
}

/** The source has committed, and its copy is stopped there as long as not all of its memory was fetched. */
function judgePostCopy({ command, plan, destination, onDestination, runOnCommand }: Scene): Verdict {
  const stopped = `its copy on ${plan.source} is stopped, as it was when it was frozen`;
  if (onDestination === undefined) {
    return {
      standing: 'unknown',
      sentence: `The workload was let go on ${plan.destination}, which cannot be asked; ${stopped}.`,
      command: command('status'),
    };
  }
  if (onDestination.pids.length === 0) {
    return {
      standing: 'nowhere',
      sentence: `The workload has ended on ${plan.destination} before all of its memory had come; ${stopped}. To let that run on loses what it did on ${plan.destination}.`,
      // The address may still be there: who takes the run up removes it, and then says how that is done.
      command:
        plan.network.address && destination.hold?.isFromEarlierBoot === false
          ? command('resume')
          : runOnCommand,
    };
  }
  return destination.hold?.decision === 'commit'
    ? {
        standing: 'on-destination-unfinished',
        sentence: `The workload runs on ${plan.destination}, and fetches its memory from ${plan.source}.`,
        command: command('resume'),
      }
    : {
        standing: 'between',
        sentence: `Nobody runs: the copy on ${plan.destination} is whole and waits, and ${stopped}.`,
        command: command('resume'),
      };
}

/** A checkpoint, or a restore from one: source and destination are one host. */
function judgeOneHost(scene: Scene): Verdict {
  const { command, plan, source, destination, onSource = [], onDestination } = scene;
  const { source: host, kind } = plan;
  const isLeft = source.lock !== undefined;
  const left = isLeft ? '; the run has left something there.' : '.';
  const goOn = (verb: 'resume' | 'rollback'): { readonly command?: string } =>
    isLeft ? { command: command(verb) } : {};
  if (source.failure)
    return { standing: 'unknown', sentence: `${host} cannot be asked.`, command: command('status') };
  if (kind === 'checkpoint') {
    if (onSource.length === 0)
      return {
        standing: 'nowhere',
        sentence: `The workload does not run on ${host}${left}`,
        ...goOn('rollback'),
      };
    const isHeld = source.hold?.stands === 'holds' && source.hold.decision === 'none';
    return isHeld
      ? {
          standing: 'frozen',
          sentence: `The workload is frozen on ${host}, and runs on there within 30 s if nobody decides.`,
          command: command('rollback'),
        }
      : {
          standing: isLeft ? 'on-source-unfinished' : 'on-source',
          sentence: `The workload runs on ${host}${left}`,
          ...goOn('rollback'),
        };
  }
  const isReleased = destination.hold?.decision === 'commit' || destination.hold?.stands === 'absent';
  if ((onDestination?.pids.length ?? 0) === 0)
    return {
      standing: 'nowhere',
      sentence: `The workload does not run on ${host}; its checkpoint is as it was${isLeft ? ', and the run has left something there.' : '.'}`,
      ...goOn('rollback'),
    };
  if (!isReleased)
    return {
      standing: 'between',
      sentence: `The workload is rebuilt on ${host}, and waits until it is let go.`,
      command: command('resume'),
    };
  return {
    standing: isLeft ? 'on-destination-unfinished' : 'on-destination',
    sentence: `The workload runs on ${host}${left}`,
    ...goOn('resume'),
  };
}

function runsOnDestination({ destination }: Plan, { by }: Found): string {
  const sentence = `The workload runs on ${destination}`;
  return by === 'likeness'
    ? `${sentence}, as far as its pid and its command line tell: this directory of the run does not know its end.`
    : `${sentence}.`;
}

/** The source cannot be asked. That its copy has ended, the destination or the journal may know. */
function judgeWithoutSource(scene: Scene): Verdict {
  const { command, plan, destination, onDestination, sourceHasEnded, cleanUp } = scene;
  const silent = `${plan.source} cannot be asked.`;
  const { hold, lock } = destination;
  const status = command('status');
  if (onDestination === undefined) return { standing: 'unknown', sentence: silent, command: status };
  const isAlive = isThere(onDestination);
  const isCommitted = hold?.decision === 'commit' || sourceHasEnded;
  if (isAlive && isPostCopied(plan) && cleanUp !== 'done' && hold?.decision === 'commit') {
    return {
      standing: 'on-destination-unfinished',
      sentence: `The workload runs on ${plan.destination}, and may wait for memory from ${plan.source}. ${silent}`,
      command: command('resume'),
    };
  }
  if (isCommitted && !isAlive && isPostCopied(plan)) {
    return {
      standing: 'unknown',
      sentence: `The workload has ended on ${plan.destination}. Its copy on ${plan.source} is stopped there, if it was not ended and the host was not started again. ${silent}`,
      command: status,
    };
  }
  if (isAlive && (hold?.decision === 'commit' || onDestination.by === 'journal')) {
    const sentence = `The workload runs on ${plan.destination}. ${silent}`;
    if (cleanUp === 'done') return { standing: 'on-destination', sentence };
    const left = lock ? '' : ' What the run has left there goes away when it answers, by this:';
    return {
      standing: 'on-destination-unfinished',
      sentence: `${sentence}${left}`,
      command: command('resume'),
    };
  }
  if (isCommitted) {
    const what = isAlive ? 'is whole and waits' : 'is to be restored from its images';
    return {
      standing: 'between',
      sentence: `Nobody runs: the copy on ${plan.source} has ended, and the one on ${plan.destination} ${what}. ${silent}`,
      command: command('resume'),
    };
  }
  const after =
    hold?.hasImages === true
      ? ` There are whole images of it on ${plan.destination}: when ${plan.source} is gone for good, and only then, they may run by ${command('resume', '--source-is-gone')}.`
      : '';
  return {
    standing: 'unknown',
    sentence: `${silent} The workload runs there, or is frozen there and runs on within 30 s, if the host does.${after}`,
    command: status,
  };
}

function isRevert({ workload }: Plan): boolean {
  return workload.kind === 'revert';
}

/** What was to be ended has ended by itself, or with its host: its images are there all the same. */
function imagesAreKept({ command, plan }: Scene): Omit<Verdict, 'standing'> {
  return {
    sentence: `The workload runs neither on ${plan.source} nor on ${plan.destination}: its images, of the moment in which it moved, are on ${plan.destination}.`,
    command: command('resume'),
  };
}

/** What can still be done about a workload that runs nowhere. */
function wayBack(scene: Scene): Omit<Verdict, 'standing'> {
  const { command, directory, plan, restoreCommand, uncheckedCommand } = scene;
  const [source, destination] = [scene.source.hold, scene.destination.hold];
  if (isRevert(plan) && destination?.decision !== 'commit') return imagesAreKept(scene);
  const nowhere = `The workload runs neither on ${plan.source} nor on ${plan.destination}`;
  if (destination?.decision === 'commit' && destination.hasImages && !destination.isPlaced) {
    return {
      sentence: `${nowhere}: the copy on ${plan.source} has ended, and the one on ${plan.destination} is to be restored from its images.`,
      command: command('resume'),
    };
  }
  // The source may be cleaned up already.
  if (destination?.decision === 'commit' && destination.hasImages) {
    const since = destination.isFromEarlierBoot ? ' when the host was started again' : '';
    return {
      sentence: `The workload moved to ${plan.destination}, and ended there${since}. Its images, of the moment in which it moved, are in ${directory}/images: restoring them loses what it did since.`,
      command: restoreCommand,
    };
  }
  if (source?.decision === 'commit' && destination?.hasImages === true) {
    return {
      sentence: `${nowhere}: the copy on ${plan.source} has ended, and its images are complete on ${plan.destination}.`,
      command: command('resume'),
    };
  }
  if (source?.hasImages === true && source.decision !== 'commit' && source.areImagesUnsure) {
    return {
      sentence: `${nowhere}. ${plan.source} was started again before its images and files were on its disk, and parts of them may be lost: if you restore from them all the same, say so there, then roll back.`,
      command: uncheckedCommand,
    };
  }
  if (source && source.decision !== 'commit' && source.hasImages) {
    return {
      sentence: `${nowhere}: its images are complete on ${plan.source}.`,
      command: command('rollback'),
    };
  }
  const gone = scene.kept
    ? `${nowhere}. ${stillKept(plan.source, scene.kept, false)}`
    : `${nowhere}, and there are no images of it.`;
  if (!scene.source.lock && !scene.destination.lock) return { sentence: gone };
  const isCommitted = [source, destination].some((hold) => hold?.decision === 'commit');
  return {
    sentence: `${gone} The run has left something on the hosts.`,
    command: command(isCommitted || scene.sourceHasEnded ? 'resume' : 'rollback'),
  };
}
