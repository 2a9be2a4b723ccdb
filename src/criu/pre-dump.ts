import { FlowError } from '../errors/flow-error.ts';
import type { Host } from '../host/host.ts';
import { startProcess, waitProcess } from '../host/remote-process.ts';
import { mustRunScript } from '../host/shell.ts';
import { criuFailure } from './failure.ts';

export interface PreDumpRequest {
  /** Its work directory, of its own. */
  readonly directory: string;
  /** Of its own too, in that of the images. */
  readonly imagesDirectory: string;
  /** criu and its arguments, or another program that writes such images. */
  readonly argv: readonly string[];
}

/** Prints the bytes of memory in a directory of images. Argument: the directory. */
const SIZE_SCRIPT = `
cd "$1" && { stat -c %s pages-*.img 2> /dev/null || :; } | awk '{ sum += $1 } END { print sum + 0 }'
`;

/**
 * Lets criu, or another program, write memory of a workload that runs on. It outlives the connection: a criu that is ended may leave its code in the tasks
 * that it had stopped.
 * @returns the bytes of memory that it wrote
 * @throws FlowError DUMP_FAILED with criu's own line, which is kept; INTERRUPTED (criu works on, see {@link untilPreDumpsEnd})
 */
export async function preDump(
  host: Host,
  { directory, imagesDirectory, argv }: PreDumpRequest,
  { signal, keep }: { readonly signal: AbortSignal; readonly keep: (name: string, content: string) => void },
): Promise<number> {
  await mustRunScript(host, 'umask 077; mkdir -p "$1" "$2"', [directory, imagesDirectory], {
    what: 'Making the directories of a round',
  });
  const process = `${directory}/process`;
  await startProcess(host, { directory: process, argv });
  const { exitCode } = await waitProcess(host, process, { signal });
  if (exitCode !== 0 && argv[0] === 'perl') {
    const { stdout } = await host.run(['tail', '-n', '20', '--', `${process}/stderr`]);
    // What ssh says beside it is no cause: what has not come is sent later.
    const lines = stdout.trim().split('\n');
    const own = lines.findLast((line) => line.startsWith('compare: '))?.replace('compare: ', '');
    throw new FlowError(
      'DUMP_FAILED',
      `Reading the memory on ${host.name} ended with exit code ${exitCode}`,
      {
        host: host.name,
        evidence: own ?? lines.at(-1) ?? '',
      },
    );
  }
  if (exitCode !== 0) {
    const at = { host, directory };
    throw await criuFailure('DUMP_FAILED', at, 'pre-dump', `ended with exit code ${exitCode}`, keep);
  }
  const { stdout } = await mustRunScript(host, SIZE_SCRIPT, [imagesDirectory], {
    what: 'Looking at the images',
  });
  return Number(stdout);
}

/** How long a criu that nobody waits for any more may go on. */
const LONGEST_END_SECONDS = 600;

/** Arguments: how many seconds to wait at most, then the directories of processes. */
const UNTIL_ENDED_SCRIPT = `
most=$1
shift
for directory; do
  [ ! -e "$directory/lock" ] || flock -s -w "$most" "$directory/lock" true ||
    { echo "criu is still at work after $most s: see $directory" >&2; exit 1; }
done
`;

/** Waits for each criu that {@link preDump} has started in one of these directories, ten minutes at most. */
export async function untilPreDumpsEnd(host: Host, directories: readonly string[]): Promise<void> {
  await mustRunScript(
    host,
    UNTIL_ENDED_SCRIPT,
    [String(LONGEST_END_SECONDS), ...directories.map((directory) => `${directory}/process`)],
    { what: 'Waiting for criu', timeoutMs: (LONGEST_END_SECONDS + 10) * 1000 },
  );
}
