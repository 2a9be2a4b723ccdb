import { execFileSync } from 'node:child_process';
import { type Fault, HIT } from './fault.ts';

/** Takes all room in a directory, to the last byte. */
const FILL =
  'dd if=/dev/zero of="$1/fill" bs=64k 2> /dev/null; dd if=/dev/zero of="$1/fill2" bs=1 count=70000 2> /dev/null; :';
const EMPTY = 'rm -f "$1/fill" "$1/fill2"';

/** Where runs keep their things on a host. */
const RUNS = '/var/lib/criu-flow';

export const sourceDiskFull: Fault = diskFull('disk full on the source', 'from');
export const destinationDiskFull: Fault = diskFull('disk full on the destination', 'to');

function diskFull(title: string, side: 'from' | 'to'): Fault {
  return {
    title,
    async before(scene) {
      const script = 'mkdir -p "$1"; mount -t tmpfs -o size=64m,mode=0700 tmpfs "$1"';
      await scene.lab.sh(scene[side], script, RUNS);
    },
    async inject(scene) {
      await scene.lab.sh(scene[side], FILL, RUNS);
      return HIT;
    },
    async heal(scene) {
      await scene.lab.sh(scene[side], EMPTY, RUNS);
    },
    async after(scene) {
      // What is left is left for whoever looks; a process that is there still will be seen, too.
      const script = '[ -n "$(ls -A "$1")" ] || { umount --lazy "$1" && rmdir "$1"; }';
      await scene.lab.sh(scene[side], script, RUNS);
    },
  };
}

export const runDirectoryFull: Fault = {
  title: 'disk full in the run directory',
  async inject({ controller }) {
    execFileSync('sh', ['-c', FILL, 'sh', controller.stateDirectory]);
    return HIT;
  },
  async heal({ controller }) {
    execFileSync('sh', ['-c', EMPTY, 'sh', controller.stateDirectory]);
  },
};

export const imagesTruncated: Fault = imagesBroken('images truncated', 'truncate -s -1 "$file"');

export const imagesFlipped: Fault = imagesBroken(
  'images with one bit flipped',
  `python3 -c 'import sys; f = open(sys.argv[1], "r+b"); f.seek(5000); b = f.read(1)[0]; f.seek(5000); f.write(bytes([b ^ 1]))' "$file"`,
);

/** On the destination, once all of them are there. */
function imagesBroken(title: string, script: string): Fault {
  const images = `${RUNS}/*/images`;
  return {
    title,
    breaksImages: true,
    phases: ['restore', 'commit', 'release'],
    async inject({ lab, to }) {
      const found = await lab.sh(
        to,
        `for file in ${images}/pages-1.img; do [ -s "$file" ] && ls ${images}/inventory.img > /dev/null 2>&1 || { echo none; exit 0; }; ${script}; done`,
      );
      return found === 'none' ? { missed: 'no images are there then' } : HIT;
    },
  };
}
