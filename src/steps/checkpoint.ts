import type { CheckpointFile } from '../checkpoint/checkpoint.ts';
import { keepCheckpoint } from '../checkpoint/store.ts';
import { FlowError } from '../errors/flow-error.ts';
import { mustRunScript } from '../host/shell.ts';
import { readManifest } from '../transfer/manifest.ts';
import { copyOnHost, copyOnHostAgain } from '../transfer/rsync.ts';
import { abortSource } from './abort-source.ts';
import { aroundCopy, sharedSinceFirstCopy } from './shared-files.ts';
import { findDirectories } from './staged-files.ts';
import { imagesDirectory, type StepContext, type StepType } from './step.ts';

/**
 * Keep what was dumped as the last checkpoint of its series, with the files as they are at that moment, and let the workload run on.
 * The files are copied once while it runs, so that only what changed since is copied inside of the pause; images and digests
 * are seen to when it runs again.
 */
export const checkpoint: StepType = {
  timeoutMs: 3_600_000,
  prepare: {
    async run(context) {
      const { plan, state, source, runDirectory } = context;
      if (plan.files.length === 0) return undefined;
      context.detail('copy the files while the workload runs');
      state.directories = await findDirectories(context);
      await mustRunScript(source, 'umask 077; mkdir -p "$1"', [`${runDirectory}/files`], {
        what: 'Making the directory of the files',
      });
      state.sharedMappings = await aroundCopy(context, () => copyAll(context));
      return undefined;
    },
  },
  main: {
    async run(context, step) {
      const { source, state, runDirectory, signal } = context;
      const { sourceHold, frozenTasks } = state;
      if (step.uses !== 'checkpoint') throw new Error(`checkpoint: got ${step.uses}`);
      if (!sourceHold || !frozenTasks) throw new Error('checkpoint: nothing is held');
      context.phase('transfer');
      await copyLastChanges(context);
      signal.throwIfAborted();
      const { by, settled } = await sourceHold.decide('abort');
      state.resumedAtMs = performance.now();
      context.phase('keep');
      await abortSource(context, sourceHold);
      const { workload } = state;
      if (state.lostOnSource) throw state.lostOnSource;
      // Whoever else has let it run may have done so while its files were copied: they would be younger than its memory.
      if (!workload || by !== undefined || settled === 'healed' || settled === 'restored')
        throw ranOn(source.name, by);
      context.detail('read the digests of the images');
      await readManifest(source, imagesDirectory(context), signal);
      const { id, count, removed } = await keepCheckpoint(
        source,
        runDirectory,
        step,
        {
          version: 1,
          runId: context.attemptId,
          createdAt: new Date().toISOString(),
          workload,
          tasks: frozenTasks,
          files: filesOf(context),
        },
        signal,
      );
      state.releasedAtMs = performance.now();
      const gone = removed === 0 ? '' : `, ${removed} older removed`;
      return `checkpoint ${id} of ${step.series}; ${count} kept${gone}`;
    },
  },
};

function ranOn(host: string, by: string | undefined): FlowError {
  const why = by === 'lease' ? 'the controller was silent for too long' : 'its criu was lost';
  return new FlowError('HOLD_LOST', `The workload on ${host} ran on before its checkpoint was complete`, {
    host,
    evidence: why,
    hint: 'It runs as if nothing had happened, and the checkpoints before this one are as they were. Run again.',
  });
}

function filesOf({ plan, state }: StepContext): readonly CheckpointFile[] {
  return plan.files.map(({ path }) => ({ path, isDirectory: state.directories?.has(path) === true }));
}

async function copyAll(context: StepContext): Promise<void> {
  const { source, signal } = context;
  for (const way of waysOf(context)) await copyOnHost(source, way, signal);
}

/** What the workload writes by its memory alone may look unchanged. */
async function copyLastChanges(context: StepContext): Promise<void> {
  const { source, signal } = context;
  const [mappings] = await Promise.all([sharedSinceFirstCopy(context), copyAll(context)]);
  for (const { path, ...way } of waysOf(context)) {
    const names = mappings.get(path);
    if (names) await copyOnHostAgain(source, way, names, signal);
  }
}

/** From where to where each of the files is copied. */
function waysOf(
  context: StepContext,
): readonly { readonly path: string; readonly from: string; readonly to: string }[] {
  return filesOf(context).map(({ path, isDirectory }, index) => {
    const slash = isDirectory ? '/' : '';
    return { path, from: `${path}${slash}`, to: `${context.runDirectory}/files/${index + 1}${slash}` };
  });
}
