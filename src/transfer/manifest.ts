import { FlowError } from '../errors/flow-error.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';

/** The sum of the sizes, in bytes. Argument: the images' directory. */
const SIZE_SCRIPT = `find "$1" -type f -printf '%s\\n' | awk '{ sum += $1 } END { printf "%.0f\\n", sum }'`;
/** A BLAKE2b digest of each image, two files at a time. Argument: the images' directory. @see b2sum(1) */
const MANIFEST_SCRIPT = `cd "$1" && find . -type f -print0 | xargs -0 -r -n 1 -P 2 b2sum | sort -k 2`;

/** Arguments: the images' directory. The manifest comes on stdin. Prints what differs. */
const CHECK_SCRIPT = `
cd "$1" || exit 1
cat > ../manifest
have=$(find . -type f | wc -l) want=$(wc -l < ../manifest)
[ "$have" -eq "$want" ] || { echo "$have files instead of $want" ; exit 2; }
xargs -r -d '\\n' -n 1 -P 2 sh -c 'printf "%s\\n" "$1" | b2sum --check --strict --quiet 2>&1' b2sum < ../manifest || exit 2
`;

export async function imagesSize(host: Host, directory: string): Promise<number> {
  const { stdout } = await mustRunScript(host, SIZE_SCRIPT, [directory], { what: 'Measuring the images' });
  return Number(stdout.trim());
}

/** Hashes the images where they were dumped. Changes nothing. */
export async function createManifest(host: Host, directory: string, signal?: AbortSignal): Promise<string> {
  const { stdout } = await mustRunScript(host, MANIFEST_SCRIPT, [directory], {
    what: 'Hashing the images',
    timeoutMs: 3_600_000,
    ...(signal ? { signal } : {}),
  });
  return stdout;
}

/**
 * Compares the images that arrived with the manifest.
 * @throws FlowError IMAGES_CORRUPTED, with the first file that differs.
 */
export async function checkManifest(
  host: Host,
  directory: string,
  manifest: string,
  signal?: AbortSignal,
): Promise<void> {
  const result = await mustRunScript(host, CHECK_SCRIPT, [directory], {
    what: 'Checking the images',
    stdin: manifest,
    timeoutMs: 3_600_000,
    allow: [1, 2, 123],
    ...(signal ? { signal } : {}),
  });
  if (result.exitCode === 0) return;
  throw new FlowError('IMAGES_CORRUPTED', `The images on ${host.name} are not the ones that were dumped`, {
    host: host.name,
    evidence: result.stdout.trim().split('\n')[0] || result.stderr.trim(),
    hint: 'They changed on the way or on the disk. Nothing was run from them. Check the disk and memory of the destination, then run again.',
  });
}
