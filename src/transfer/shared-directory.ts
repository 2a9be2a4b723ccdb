import { randomUUID } from 'node:crypto';
import { FlowError } from '../errors/flow-error.ts';
import { commandOn } from '../host/command-on.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';

/**
 * Makes the place of a run in a shared directory, puts the run's images there, and writes the probe. The place must be new, and nobody
 * else able to put another in its stead: who writes the images decides what root runs on the destination. Arguments: the shared directory, the place, the run's directory,
 * the text of the probe.
 */
const MAKE_PLACE_SCRIPT = `
umask 077
[ -d "$1" ] || exit 3
mkdir "$2" "$2/images" || exit 4
printf '%s\\n' "$4" > "$2/probe" && sync "$2/probe" "$2" || exit 4
read -r owner mode <<EOF
$(stat -L -c '%u %a' "$1")
EOF
[ "$owner" = 0 ] || [ "$owner" = "$(stat -c %u "$2/probe")" ] || { echo "its owner is $owner" >&2; exit 6; }
[ -z "$(find -L "$1" -maxdepth 0 -perm /022 ! -perm -1000)" ] || { echo "its mode is $mode" >&2; exit 6; }
rmdir "$3/images" && ln -s "$2/images" "$3/images"
`;

/**
 * Reads the probe, and leads to the same images. It does not look into their directory, which is empty yet: an NFS client would
 * remember that for up to a minute. Arguments: as above.
 * @see nfs(5), acdirmax
 */
const FIND_PLACE_SCRIPT = `
umask 077
[ -d "$1" ] || exit 3
read -r probe < "$2/probe" || exit 5
[ "$probe" = "$4" ] || { echo "$2/probe has another text" >&2; exit 5; }
mkdir -p "$3" && ln -sT "$2/images" "$3/images"
`;

export interface SharedPlace {
  /** What both hosts have mounted, an absolute path. */
  readonly directory: string;
  /** The run's own directory in it, mode 0700. */
  readonly place: string;
  /** The run's directory on both hosts. */
  readonly runDirectory: string;
}

/**
 * Lets both hosts have the images of a run in one directory of a shared file system, and proves by a probe file that it is one.
 * @throws FlowError NOT_SHARED
 */
export async function shareImages(source: Host, destination: Host, shared: SharedPlace): Promise<void> {
  const { directory, place, runDirectory } = shared;
  const values = [directory, place, runDirectory, randomUUID()];
  for (const [host, script] of [
    [source, MAKE_PLACE_SCRIPT],
    [destination, FIND_PLACE_SCRIPT],
  ] as const) {
    const { exitCode, stderr } = await mustRunScript(host, script, values, {
      what: 'Sharing the images',
      allow: Object.keys(REASONS).map(Number),
    });
    const reason = REASONS[exitCode];
    if (reason === undefined) continue;
    throw new FlowError('NOT_SHARED', reason.message(shared, { source, destination, host }), {
      host: host.name,
      evidence: stderr.trim().split('\n').at(-1) ?? '',
      hint: reason.hint,
      command: commandOn(host, ['findmnt', '--target', exitCode === 3 ? '/' : directory]),
    });
  }
}

interface Hosts {
  readonly host: Host;
  readonly source: Host;
  readonly destination: Host;
}

/** By the exit codes of the scripts. */
const REASONS: Readonly<
  Record<number, { readonly message: (shared: SharedPlace, hosts: Hosts) => string; readonly hint: string }>
> = {
  3: {
    message: ({ directory }, { host }) => `${host.name} has no directory ${directory}`,
    hint: 'Mount the shared file system there, or correct `with.directory` of `transfer/shared`.',
  },
  4: {
    message: ({ directory }, { host }) => `root of ${host.name} cannot write into ${directory}`,
    hint: 'criu writes the images as root. An NFS server takes root for nobody (`root_squash`): let that user write there, or export it with `no_root_squash`.',
  },
  5: {
    message: ({ directory }, { source, destination }) =>
      `${directory} is not the same directory on ${source.name} and ${destination.name}`,
    hint: 'What the one wrote there, the other does not find: see that both have mounted the same file system.',
  },
  6: {
    message: ({ directory }) => `Other users can replace what is in ${directory}`,
    hint: 'Images are what root runs on the destination. Give the directory to root, or to the user that the server takes root for, and let nobody else write there, or only with the sticky bit.',
  },
};
