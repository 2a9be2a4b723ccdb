import { FlowError } from '../errors/flow-error.ts';
import { commandOn } from '../host/command-on.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';

/**
 * Makes room for the images of processes before anything is frozen: their blocks on the disk and, up to a twentieth of
 * the memory that is available, their pages in the page cache. A page that a virtual machine touches for the first
 * time can cost it a visit to its hypervisor, ten microseconds for 4 KiB: that would be in the pause. criu calls the
 * memory of the n-th process `pages-n.img`. Arguments: the images' directory; the size in bytes of each process.
 */
const RESERVE_SCRIPT = `
umask 077
mkdir -p "$1" && cd "$1" || exit 1
shift
cached=$(awk '/^MemAvailable:/ { printf "%.0f", $2 * 1024 / 20 }' /proc/meminfo)
number=0
for size; do
  number=$((number + 1)) cached=$((cached - size))
  [ "$size" -gt 0 ] || continue
  if [ "$cached" -ge 0 ]; then head -c "$size" /dev/zero > "pages-$number.img" || exit 3
  else fallocate -l "$size" "pages-$number.img" || exit 3
  fi
done
`;

/**
 * Touches as much memory as the workload has, and gives it back at once, for the same reason: criu's next allocations
 * get these pages. Leaves the memory alone where that would be more than a twentieth of what is available. Arguments:
 * a directory, the size in bytes.
 */
const TOUCH_SCRIPT = `
[ "$2" -le "$(awk '/^MemAvailable:/ { printf "%.0f", $2 * 1024 / 20 }' /proc/meminfo)" ] || exit 0
head -c "$2" /dev/zero > "$1/touched"
rm -f "$1/touched"
`;

/** Makes memory ready for use on a host; see {@link TOUCH_SCRIPT}. */
export async function touchMemory(host: Host, directory: string, sizeBytes: number): Promise<void> {
  await mustRunScript(host, TOUCH_SCRIPT, [directory, String(sizeBytes)], { what: 'Touching memory' });
}

/**
 * Reads what a host has of the first rounds, so that criu finds it in the page cache when it rebuilds the memory: they may have been written minutes
 * ago. Leaves them alone where they are more than a quarter of the memory that is available. A failure here is none: criu itself will tell.
 * Arguments: the images' directory, how many rounds.
 */
const READ_ROUNDS_SCRIPT = `
cd "$1" || exit 0
most=$2
set --
number=1
while [ "$number" -le "$most" ]; do set -- "$@" "round-$number"; number=$((number + 1)); done
kib=$(du -sck -- "$@" 2> /dev/null | tail -n 1 | cut -f 1)
[ "\${kib:-0}" -le "$(awk '/^MemAvailable:/ { printf "%.0f", $2 / 4 }' /proc/meminfo)" ] || exit 0
cat -- $(find "$@" -name 'pages-*.img') > /dev/null 2>&1 < /dev/null || :
`;

/** Brings the first rounds into the page cache of a host; see {@link READ_ROUNDS_SCRIPT}. */
export async function readRounds(
  host: Host,
  directory: string,
  rounds: number,
  signal: AbortSignal,
): Promise<void> {
  await mustRunScript(host, READ_ROUNDS_SCRIPT, [directory, String(rounds)], {
    what: 'Reading the rounds',
    timeoutMs: 3_600_000,
    signal,
  });
}

/**
 * Makes the images' directory (0700) with room for the memory of each process.
 * @throws FlowError TRANSFER_FAILED when there is no room
 */
export async function reserveImages(
  destination: Host,
  directory: string,
  processBytes: readonly number[],
): Promise<void> {
  const result = await mustRunScript(destination, RESERVE_SCRIPT, [directory, ...processBytes.map(String)], {
    what: 'Making room for the images',
    timeoutMs: 3_600_000,
    allow: [3],
  });
  if (result.exitCode === 0) return;
  throw new FlowError('TRANSFER_FAILED', `There is no room for the images on ${destination.name}`, {
    host: destination.name,
    evidence: result.stderr.trim().split('\n').at(-1) ?? '',
    hint: 'Free some space on the disk of /var/lib/criu-flow.',
    command: commandOn(destination, ['df', '-h', '/var/lib/criu-flow']),
  });
}
