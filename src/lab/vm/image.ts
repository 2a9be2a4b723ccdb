import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { cachedPath, ensureCached } from '../cache.ts';
import type { MachineRelease } from '../driver.ts';
import { mustRun } from '../tools.ts';
import { guestFiles, maskedUnits } from './guest-files.ts';

/** What machines of one release boot from. */
export interface MachineImage {
  readonly kernel: string;
  /** Loads the driver of the disk, and mounts it. */
  readonly initramfs: string;
  /** The disk that every machine's own lies over: a raw ext4. */
  readonly disk: string;
}

const packages: readonly string[] = [
  ...['linux-image-cloud-amd64', 'tiny-initramfs', 'systemd-sysv', 'kmod'],
  ...['criu', 'openssh-server', 'rsync', 'nfs-common', 'nfs-kernel-server'],
  ...['iproute2', 'nftables', 'iptables', 'iputils-arping', 'iputils-ping', 'netcat-openbsd'],
  ...['procps', 'python3', 'util-linux', 'apparmor', 'postgresql', 'socat', 'strace'],
];

/** The kernel of these packages has all but the driver of the disk built in. */
const initramfsConfiguration = 'AUTO_MODULES=no\nMICROCODE=no\nINCLUDE_MODULES=virtio_blk\n';

const command: readonly string[] = [
  ...['mmdebstrap', '--mode=root', '--variant=minbase'],
  ...['doc', 'locale', 'man', 'info'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
  // 130 MB that PostgreSQL compiles queries with, which it does without as well.
  '--dpkgopt=path-exclude=*/libLLVM*',
  `--include=${packages.join(',')}`,
];

const diskSize = '2G';

/** The place of a release's image in the cache. */
function placeOf(release: MachineRelease): { readonly kind: string; readonly ingredients: unknown } {
  return {
    kind: `vm-${release}`,
    ingredients: [release, command, initramfsConfiguration, diskSize, guestFiles, maskedUnits],
  };
}

/**
 * Builds a release's image when it is not in the cache: about a minute, 450 MB of disk, the network.
 * @throws FlowError LAB_FAILED when mmdebstrap or mke2fs cannot build it
 */
export async function ensureImage(
  release: MachineRelease,
  onProgress: (text: string) => void = () => {},
): Promise<MachineImage> {
  const place = placeOf(release);
  if (!existsSync(cachedPath(place))) {
    onProgress(`building the machines' disk (Debian ${release}, about a minute, kept for the next time)`);
  }
  const directory = await ensureCached({ ...place, build: (building) => build(release, building) });
  return {
    kernel: `${directory}/vmlinuz`,
    initramfs: `${directory}/initrd.img`,
    disk: `${directory}/disk.img`,
  };
}

async function build(release: MachineRelease, directory: string): Promise<void> {
  const root = `${directory}/root`;
  await mkdir(directory);
  await mustRun("Building the machines' root file system", [...command, release, root], {
    timeoutMs: 15 * 60_000,
  });
  await customize(root);
  await mustRun('Building the initramfs', ['chroot', root, 'update-tirfs']);
  for (const name of await readdir(`${root}/boot`)) {
    if (name.startsWith('vmlinuz-')) await copyFile(`${root}/boot/${name}`, `${directory}/vmlinuz`);
    if (name.startsWith('initrd.img-')) await copyFile(`${root}/boot/${name}`, `${directory}/initrd.img`);
  }
  await rm(`${root}/boot`, { recursive: true });
  const disk = `${directory}/disk.img`;
  await mustRun("Making the machines' disk", ['mke2fs', '-q', '-t', 'ext4', '-d', root, disk, diskSize], {
    timeoutMs: 5 * 60_000,
  });
  // No machine may write what all have in common.
  await chmod(disk, 0o400);
  await rm(root, { recursive: true });
}

async function customize(root: string): Promise<void> {
  const units = `${root}/etc/systemd/system`;
  const place = async (path: string, text: string, mode: number): Promise<void> => {
    await mkdir(dirname(`${root}${path}`), { recursive: true });
    await rm(`${root}${path}`, { force: true });
    await writeFile(`${root}${path}`, text, { mode });
  };
  await place('/etc/tiny-initramfs/tiny-initramfs.conf', initramfsConfiguration, 0o644);
  for (const file of guestFiles) await place(file.path, file.text, file.mode);
  for (const name of maskedUnits) {
    await rm(`${units}/${name}`, { force: true });
    await symlink('/dev/null', `${units}/${name}`);
  }
  await rm(`${units}/default.target`, { force: true });
  await symlink('/usr/lib/systemd/system/multi-user.target', `${units}/default.target`);
  // No service of a package begins at boot: who needs one starts it.
  for (const name of await readdir(units)) {
    if (name.endsWith('.wants')) await rm(`${units}/${name}`, { recursive: true });
  }
  await mkdir(`${units}/multi-user.target.wants`);
  await symlink('../become-host.service', `${units}/multi-user.target.wants/become-host.service`);
  for (const name of await readdir(`${root}/etc/ssh`)) {
    if (name.startsWith('ssh_host_')) await rm(`${root}/etc/ssh/${name}`);
  }
  // Newer than all of /usr: otherwise the first boot sets much up again (systemd-update-done.service(8)).
  await writeFile(`${root}/etc/.updated`, '');
  await writeFile(`${root}/var/.updated`, '');
}
