import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import { isPostCopied } from '../plan/plan.ts';
import { touchMemory } from '../transfer/reserve.ts';
import { memoryBytesOf, type StepContext } from './step.ts';

/**
 * Writes what the host has still to write, ten seconds at most: the hold does so again, beside what the pause waits for, and then has
 * little to do.
 */
const SYNC_BEFORE_SCRIPT = `
sync > /dev/null 2>&1 &
rounds=0
while kill -0 $! 2> /dev/null && [ "$rounds" -lt 200 ]; do
  sleep 0.05
  rounds=$((rounds + 1))
done
`;

/** Does the last that the pause would wait for: what the source has still to write, and memory that will be used on both hosts. */
export async function makeReady(context: StepContext): Promise<void> {
  const { source, destination, runDirectory, plan } = context;
  if (plan.kind === 'move')
    await mustRunScript(source, SYNC_BEFORE_SCRIPT, [], { what: 'Writing to the disk' });
  // A checkpoint stays on its host.
  const hosts = new Set([source, destination]);
  await Promise.all([...hosts].map((host) => touchMemory(host, runDirectory, bytesToTouch(context, host))));
}

/**
 * A memory that is streamed, or fetched later, is nothing on the source, and on the destination the image and the memory of the process. Of one that was copied
 * before, the source has about as much to write as in the last round.
 */
function bytesToTouch({ source, plan, state }: StepContext, host: Host): number {
  const memoryBytes = memoryBytesOf(state);
  const lastRound = state.rounds?.at(-1);
  if (lastRound && host === source) return lastRound.sizeBytes;
  if (isPostCopied(plan)) return host === source ? 0 : memoryBytes;
  if (state.pageServer === undefined) return memoryBytes;
  return host === source ? 0 : 2 * memoryBytes;
}
