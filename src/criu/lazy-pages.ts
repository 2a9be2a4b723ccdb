import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import {
  END_GUARD_SCRIPT,
  END_WORKLOAD_SCRIPT,
  FETCHED_SCRIPT,
  GIVE_UP_FETCH_SCRIPT,
  GUARDED_SCRIPT,
  LAZY_PAGES_PROGRAM,
} from './lazy-pages-script.ts';

/** criu restore with its daemon and guard, in place of criu restore alone. */
export function withLazyPages(
  directory: string,
  daemon: readonly string[],
  restore: readonly string[],
): readonly string[] {
  const program = ['perl', `${directory}/lazy-pages.pl`, directory, String(daemon.length)];
  // One descriptor for each task, twice for a moment.
  const enough = 'ulimit -n "$(ulimit -H -n)" 2> /dev/null; exec "$@"';
  return ['sh', '-c', enough, 'criu-flow', ...program, ...daemon, ...restore];
}

/** The names and texts of the files that this takes in a hold's directory. */
export const LAZY_PAGES_FILES: readonly (readonly [string, string])[] = [
  ['lazy-pages.pl', LAZY_PAGES_PROGRAM],
  ['guarded', GUARDED_SCRIPT],
  ['end-guard', END_GUARD_SCRIPT],
  ['end-workload', END_WORKLOAD_SCRIPT],
];

/**
 * How the memory comes of a restored workload: `ended` when it did not, and the workload with it; `cleaned` when what is left of that was
 * removed, or its disk is gone; `unwatched` when the guard was killed.
 */
export type Fetch = 'fetching' | 'fetched' | 'ended' | 'cleaned' | 'unwatched';

/** Waits until all of the memory has come, or cannot. @throws what Host.run throws */
export async function untilFetched(host: Host, directory: string, signal: AbortSignal): Promise<Fetch> {
  return fetchOf(host, [directory, ''], { signal, timeoutMs: Number.POSITIVE_INFINITY });
}

/** Looks how far that is. */
export async function lookAtFetch(host: Host, directory: string): Promise<Fetch> {
  return fetchOf(host, [directory, '-n'], {});
}

async function fetchOf(
  host: Host,
  args: readonly string[],
  options: { readonly signal?: AbortSignal; readonly timeoutMs?: number },
): Promise<Fetch> {
  const what = 'Waiting for the memory';
  const { stdout } = await mustRunScript(host, FETCHED_SCRIPT, args, { what, ...options });
  const [said] = stdout.trim().split(' ');
  if (said === 'fetching' || said === 'cleaned') return said;
  if (said === 'yes') return 'fetched';
  return said === 'no' ? 'ended' : 'unwatched';
}

/** Ends a workload whose memory can never come. Idempotent. */
export async function giveUpFetch(host: Host, directory: string): Promise<void> {
  await mustRunScript(host, GIVE_UP_FETCH_SCRIPT, [directory], { what: 'Ending criu lazy-pages' });
}

/** Ends what is left there of a workload whose root has ended. Idempotent. */
export async function endWorkload(host: Host, directory: string): Promise<void> {
  await mustRunScript(host, '[ ! -f "$1/end-workload" ] || sh "$1/end-workload"', [directory], {
    what: 'Ending what is left of the workload',
  });
}

/** Ends what fetches memory for a hold that is over. Idempotent. */
export async function endLazyPages(host: Host, directory: string): Promise<void> {
  await mustRunScript(host, '! cd "$1" 2> /dev/null || [ ! -f end-guard ] || sh ./end-guard', [directory], {
    what: 'Ending criu lazy-pages',
  });
}
