import { existsSync } from 'node:fs';
import { cachedPath, ensureCached } from '../cache.ts';
import { mustRun } from '../tools.ts';

/**
 * The QEMU of this Debian release, whatever this machine runs: that of Debian 12 (7.2) corrupts the kernel of its guest
 * under software emulation. It is unpacked, not installed, and nothing of this machine changes.
 */
const release = 'trixie';

const command: readonly string[] = [
  ...['mmdebstrap', '--mode=root', '--variant=extract'],
  ...['doc', 'locale', 'man', 'info', 'icons'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
  '--include=qemu-system-x86,qemu-utils',
];

const place = { kind: 'qemu', ingredients: [release, command] };

/**
 * Unpacks QEMU when it is not in the cache: 160 MB of disk, the network.
 * @returns its root directory
 * @throws FlowError LAB_FAILED when mmdebstrap cannot fetch it
 */
export async function ensureQemu(onProgress: (text: string) => void): Promise<string> {
  if (!existsSync(cachedPath(place))) {
    onProgress(`unpacking QEMU (of Debian ${release}, about 30 s, kept for the next time)`);
  }
  return ensureCached({
    ...place,
    build: async (directory) => {
      await mustRun('Unpacking QEMU', [...command, release, directory], { timeoutMs: 15 * 60_000 });
    },
  });
}

/** The command that runs one of QEMU's programs with the libraries that came with it. @see ld.so(8) */
export function qemuProgram(root: string, program: 'qemu-img' | 'qemu-system-x86_64'): readonly string[] {
  return [
    `${root}/usr/lib64/ld-linux-x86-64.so.2`,
    ...['--library-path', `${root}/usr/lib/x86_64-linux-gnu`, `${root}/usr/bin/${program}`],
    ...(program === 'qemu-img' ? [] : ['-L', `${root}/usr/share/qemu`, '-L', `${root}/usr/share/seabios`]),
  ];
}
