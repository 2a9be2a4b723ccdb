import { FlowError } from '../errors/flow-error.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import { ROUNDS } from './rounds.ts';
import { type StagedFile, stagingArguments, SYNC_CHANGES_FUNCTION } from './staging.ts';

/** The digests of trees, by `-P 2` in no order. Arguments: of find(1). */
const DIGESTS_FUNCTION = `
digests() { find "$@" -type f -print0 | xargs -0 -r -n 8 -P 2 nice -n 5 sha256sum; }
`;

/**
 * `manifest IMAGES`: a SHA-256 digest of each image, sorted by name, in `IMAGES.sha256`. It runs beside the transfer and the restore, and gives way to them a
 * little: by its nice value, and by that of its session where the kernel groups by session. Only a little, because the
 * commit waits for it: at 19 a busy host would leave it next to no time, and the pause would last for seconds.
 * They are kept beside the images: who restores from these a second time looks first whether they are the same. Images and
 * digests are on the disk when it ends: the source's copy is ended for them, and a host that loses its power must find them.
 * Rounds that were copied while the workload ran are on the disk, and have digests beside the images, which are taken as they are.
 * @see sync(1), which calls fsync(2) for each file; sha256sum(1): processors have instructions for it; sched(7), autogroup
 */
const MANIFEST_FUNCTION = `
${DIGESTS_FUNCTION}
known_rounds() {
  for digests in "\${1%/*}"/${ROUNDS}.sha256; do [ ! -f "$digests" ] || cat "$digests"; done
}
manifest() {
  { echo 5 > /proc/self/autogroup; } 2> /dev/null
  cd "$1" || return
  images=$1
  shift
  for digests in "\${images%/*}"/${ROUNDS}.sha256; do
    round=\${digests##*/}
    [ ! -f "$digests" ] || set -- "$@" ! -path "./\${round%.sha256}/*"
  done
  find . "$@" -print0 | xargs -0 sync &
  # A pipe would hide that there is no sha256sum.
  { digests . "$@" && known_rounds "$images"; } > "$images.sha256.new" &&
    sort -k 2 -o "$images.sha256.new" "$images.sha256.new" && sync "$images.sha256.new" && mv "$images.sha256.new" "$images.sha256" && wait $! && sync "\${images%/*}"
}
`;

/** `manifest_once IMAGES`: whoever comes first makes them; who comes then, waits and finds them. */
export const MANIFEST_ONCE_FUNCTION: string = `
${MANIFEST_FUNCTION}
manifest_once() {
  exec 9> "$1.sha256.lock"
  flock 9
  [ -f "$1.sha256" ] || manifest "$1"
}
`;

const DUMPED_SCRIPT = `
${MANIFEST_ONCE_FUNCTION}
manifest_once "$1" && cat "$1.sha256"
`;

/** The digests of what was dumped on the source: those that its hold has made, or makes. As {@link readManifest} gives them. */
export async function readDumpedManifest(
  host: Host,
  directory: string,
  signal: AbortSignal,
): Promise<string> {
  return run(host, DUMPED_SCRIPT, [directory], signal);
}

/** The digests of a round, which is over, as those of all images: on the disk with it. Arguments: the images' directory, its name. */
const ROUND_SCRIPT = `
${DIGESTS_FUNCTION}
cd "$1" || exit
digests=\${1%/*}/$2.sha256
find "./$2" -print0 | xargs -0 sync &
digests "./$2" > "$digests" && sort -k 2 -o "$digests" "$digests" && wait $! && sync . "$digests" "\${1%/*}" && cat "$digests"
`;

/** The digests of a round on a host, made anew, as {@link readManifest} gives them. They are kept for the manifest of all images. */
export async function readRoundManifest(
  host: Host,
  directory: string,
  round: string,
  signal: AbortSignal,
): Promise<string> {
  return run(host, ROUND_SCRIPT, [directory, round], signal);
}

const ARRIVED_SCRIPT = `
${MANIFEST_FUNCTION}
${SYNC_CHANGES_FUNCTION}
images=$1 mark=$2
shift 2
sync_changes "\${images%/*}" "$@" &
changes=$!
manifest "$images" && wait "$changes" || exit
[ -z "$mark" ] || { : > "\${images%/*}/$mark" && sync "\${images%/*}"; } || exit
cat "$images.sha256"
`;

/**
 * The digests of the images on a host, as sha256sum(1) prints them, made anew. Leaves them beside the images too, in `images.sha256`.
 * The images are on the disk then, and what came last of the files, and that is noted as the file `mark` beside them.
 */
export async function readManifest(
  host: Host,
  directory: string,
  signal: AbortSignal,
  { files, mark }: { readonly files: readonly StagedFile[]; readonly mark: string } = { files: [], mark: '' },
): Promise<string> {
  return run(host, ARRIVED_SCRIPT, [directory, mark, ...stagingArguments(files)], signal);
}

async function run(
  host: Host,
  script: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  const { stdout } = await mustRunScript(host, script, args, {
    what: 'Hashing the images',
    timeoutMs: 3_600_000,
    signal,
  });
  return stdout;
}

/** criu's images of memory, which its page server writes. @see CRIU's documentation, Images */
const MEMORY = /^\.\/(?:pages|pagemap)-[^/]*\.img$/;

/**
 * Compares what was dumped with what arrived.
 * @param options.isStreamed the memory was sent another way: what arrived has it besides
 * @throws FlowError IMAGES_CORRUPTED, with the first image that differs
 */
export function requireSameImages(
  dumped: string,
  arrived: string,
  destination: string,
  { isStreamed }: { readonly isStreamed: boolean } = { isStreamed: false },
): void {
  const [before, after] = [parse(dumped), parse(arrived)];
  const memory = isStreamed ? [...after.keys()].filter((name) => MEMORY.test(name)) : [];
  for (const name of memory) after.delete(name);
  const isThere = before.size > 0 && (!isStreamed || memory.length > 0);
  const name = [...before.keys(), ...after.keys()].find((each) => before.get(each) !== after.get(each));
  if (name === undefined && isThere) return;
  throw new FlowError('IMAGES_CORRUPTED', `The images on ${destination} are not the ones that were dumped`, {
    host: destination,
    evidence: name === undefined ? 'no images' : `${name}: ${difference(before.get(name), after.get(name))}`,
    hint: 'They changed on the way or on the disk. Nothing was run from them. Check the disk and memory of the destination, then run again.',
  });
}

function parse(manifest: string): Map<string, string> {
  const lines = manifest.split('\n').filter((line) => line !== '');
  return new Map(lines.map((line) => [line.slice(66), line.slice(0, 64)]));
}

function difference(before: string | undefined, after: string | undefined): string {
  if (before === undefined) return 'was never dumped';
  return after === undefined ? 'is missing' : `SHA-256 is ${after} and was ${before}`;
}
