import { mergeMappings, readSharedMappings, type SharedMappings } from '../workload/shared-mappings.ts';
import type { StepContext } from './step.ts';

/** Does a copy of the files, while the workload runs. @returns what was mapped shared before or after it, or one that was done before */
export async function aroundCopy(context: StepContext, copy: () => Promise<void>): Promise<SharedMappings> {
  const { workload, sharedMappings = new Map() } = context.state;
  const before = await look(context, workload?.processes);
  await copy();
  return mergeMappings(sharedMappings, before, await look(context, workload?.processes));
}

/** What is mapped shared by what is frozen now, or was around the first copy. One round trip. */
export async function sharedSinceFirstCopy(context: StepContext): Promise<SharedMappings> {
  const { sharedMappings = new Map(), frozenTasks } = context.state;
  return mergeMappings(sharedMappings, await look(context, frozenTasks));
}

async function look(
  { source, plan }: StepContext,
  processes: readonly { readonly pid: number }[] = [],
): Promise<SharedMappings> {
  if (plan.files.length === 0) return new Map();
  const pids = processes.map(({ pid }) => pid);
  return readSharedMappings(
    source,
    pids,
    plan.files.map(({ path }) => path),
  );
}
