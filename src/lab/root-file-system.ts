import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { mustRun } from './tools.ts';

const cacheDirectory = '/var/cache/criu-flow';

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

/** The directory of the root file system that lab hosts share, read-only. It may not exist yet. */
function rootFileSystem(): string {
  const recipe = createHash('sha256')
    .update(JSON.stringify([release, command, addSid]))
    .digest('hex');
  return `${cacheDirectory}/rootfs-${recipe.slice(0, 16)}`;
}

/**
 * Builds the root file system when it is not in the cache: half a minute, 170 MB of disk, the network. Two that build
 * at once do not disturb each other; the first to finish wins.
 * @throws FlowError LAB_FAILED when mmdebstrap cannot build it
 */
export async function ensureRootFileSystem(onProgress: (text: string) => void = () => {}): Promise<string> {
  const directory = rootFileSystem();
  if (existsSync(directory)) return directory;
  onProgress(`building the hosts' root file system (Debian ${release}, about 30 s, kept for the next time)`);
  await mkdir(cacheDirectory, { recursive: true, mode: 0o755 });
  await removeAbandoned();
  const building = `${cacheDirectory}/building-${process.pid}`;
  try {
    await mustRun(
      'Building the root file system of the lab',
      [...command, `--setup-hook=${addSid}`, release, building],
      { timeoutMs: 15 * 60_000 },
    );
    await rename(building, directory).catch(async (error: NodeJS.ErrnoException) => {
      // Somebody else was quicker.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
      await rm(building, { recursive: true, force: true });
    });
  } catch (error) {
    await rm(building, { recursive: true, force: true });
    throw error;
  }
  return directory;
}

/** What a build that was killed left behind. */
async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(cacheDirectory)) {
    const pid = /^building-(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) {
      await rm(`${cacheDirectory}/${name}`, { recursive: true, force: true });
    }
  }
}
