import { FlowError } from '../errors/flow-error.ts';
import { mustRunScript } from '../host/shell.ts';
import {
  STAGE_FINISH_SCRIPT,
  STAGE_PREPARE_SCRIPT,
  STAGE_UNDO_SCRIPT,
  SYNC_FIRST_SCRIPT,
  type StagedFile,
  stagedFile,
  stagingArguments,
} from '../transfer/staging.ts';
import { isOnDestination } from './abort-source.ts';
import type { StepContext } from './step.ts';

/** Makes room for the files of the workload beside their places on the destination. @throws FlowError FILES_CONFLICT */
export async function prepareStaging(context: StepContext): Promise<void> {
  const { destination } = context;
  const result = await mustRunScript(destination, STAGE_PREPARE_SCRIPT, stagingOf(context), {
    what: 'Preparing the places of the files',
    allow: [3],
  });
  if (result.exitCode === 0) return;
  throw new FlowError('FILES_CONFLICT', `A path of \`files\` cannot be replaced on ${destination.name}`, {
    host: destination.name,
    evidence: result.stderr.trim(),
    hint: 'Name the directories inside of the mount point instead.',
  });
}

/** Puts the first copy of the files on the destination's disk, so that the pause has only what changes after it to wait for. */
export async function syncFirstCopy(context: StepContext): Promise<void> {
  await mustRunScript(context.destination, SYNC_FIRST_SCRIPT, stagingOf(context), {
    what: 'Putting the copied files on the disk',
    timeoutMs: 3_600_000,
    signal: context.signal,
  });
}

/**
 * A destination that is lost before its restore began holds nothing but staged copies: a warning, not a failure. What may be all that
 * there is of the workload, since its source did not answer or could not bring it back, stays there.
 */
export async function undoStaging(context: StepContext): Promise<void> {
  const { destination, source, state } = context;
  try {
    if (state.sourceIsSettled !== true && (await isOnDestination(context))) {
      context.warn(
        `The images on ${destination.name} are whole, and stay there with their files until it is known what became of the workload on ${source.name}.`,
      );
      return;
    }
    await mustRunScript(destination, STAGE_UNDO_SCRIPT, stagingOf(context), {
      what: 'Removing the copied files',
    });
  } catch (error) {
    const isLost = error instanceof FlowError && error.code === 'HOST_UNREACHABLE';
    if (!isLost || state.restoreBegan) throw error;
    context.warn(`${destination.name} is unreachable: ${context.runDirectory} is left there.`);
  }
}

/** Removes what the files took the place of, once the move is final; else the copies that are left. */
export async function finishStaging(context: StepContext): Promise<void> {
  const { destination, state } = context;
  // Of a rollback that passed over a destination which is back by now, the copies are still there.
  const script = state.committed ? STAGE_FINISH_SCRIPT : STAGE_UNDO_SCRIPT;
  await mustRunScript(destination, script, stagingOf(context), { what: 'Cleaning up' });
}

function stagingOf(context: StepContext): string[] {
  return [context.runDirectory, ...stagingArguments(stagedFiles(context))];
}

export function stagedFiles({ plan, attemptId }: StepContext): readonly StagedFile[] {
  return plan.files.map((file) => stagedFile(file, attemptId));
}

/** Prints, for each argument, what it is. */
const KIND_SCRIPT =
  'for path; do if [ -d "$path" ]; then echo directory; else [ -e "$path" ] && echo file || echo; fi; done';

/** Which of the workload's files are directories; rsync must be told. */
export async function findDirectories({ source, plan }: StepContext): Promise<ReadonlySet<string>> {
  const paths = plan.files.map((file) => file.path);
  const { stdout } = await mustRunScript(source, KIND_SCRIPT, paths, { what: 'Looking at the files' });
  const kinds = stdout.split('\n');
  const missing = paths.find((_, index) => kinds[index] === '');
  if (missing !== undefined) {
    throw new FlowError('TRANSFER_FAILED', `${missing} is not on ${source.name}`, {
      host: source.name,
      hint: 'Correct `files:` in the recipe.',
    });
  }
  return new Set(paths.filter((_, index) => kinds[index] === 'directory'));
}
