import { existsSync } from 'node:fs';
import { cachedPath, ensureCached } from '../cache.ts';
import { mustRun } from '../tools.ts';

/** The Debian release of a lab's hosts, and what they have besides its minimal base. */
const release = 'trixie';
const packages: readonly string[] = [
  ...['criu', 'openssh-server', 'rsync', 'tini'],
  ...['iproute2', 'nftables', 'iptables', 'iputils-arping', 'iputils-ping'],
  ...['procps', 'python3', 'util-linux'],
  ...['curl', 'netcat-openbsd', 'nginx', 'socat', 'strace'],
];

/**
 * Adds sid, for criu and its libraries alone: trixie's criu cannot dump a socket on kernels from 6.16 on. The line is
 * made from the one that mmdebstrap wrote, so that the mirror and its key stay the user's; mirrors can lag behind
 * sid's short validity. path-exclude leaves out what no host of a lab reads.
 */
const addSid = `
set -eu
apt=$1/etc/apt
sed -n -e 's|^deb \\([^[][^ ]*\\) ${release} main.*|deb [check-valid-until=no] \\1 sid main|p' \\
  -e 's|^deb \\[\\([^]]*\\)\\] \\([^ ]*\\) ${release} main.*|deb [check-valid-until=no \\1] \\2 sid main|p' \\
  "$apt/sources.list" > "$apt/sources.list.d/sid.list"
[ -s "$apt/sources.list.d/sid.list" ] || { echo "no line for ${release} in sources.list" >&2; exit 1; }
cat > "$apt/preferences.d/criu" <<'END'
Package: *
Pin: release n=sid
Pin-Priority: 50

Package: criu libcompel1 libcriu2 python3-pycriu libnl-3-200 libnet1
Pin: release n=sid
Pin-Priority: 900
END
`;

const command: readonly string[] = [
  ...['mmdebstrap', '--mode=root', '--variant=minbase'],
  ...['--dpkgopt=path-exclude=/usr/share/doc/*', '--dpkgopt=path-exclude=/usr/share/locale/*'],
  `--include=${packages.join(',')}`,
];

/**
 * Builds the root file system that the hosts share, read-only, when it is not in the cache: half a minute, 170 MB of
 * disk, the network.
 * @throws FlowError LAB_FAILED when mmdebstrap cannot build it
 */
export async function ensureRootFileSystem(onProgress: (text: string) => void = () => {}): Promise<string> {
  const place = { kind: 'rootfs', ingredients: [release, command, addSid] };
  if (!existsSync(cachedPath(place))) {
    onProgress(
      `building the hosts' root file system (Debian ${release}, about 30 s, kept for the next time)`,
    );
  }
  return ensureCached({
    ...place,
    build: async (directory) => {
      await mustRun(
        'Building the root file system of the lab',
        [...command, `--setup-hook=${addSid}`, release, directory],
        { timeoutMs: 15 * 60_000 },
      );
    },
  });
}
