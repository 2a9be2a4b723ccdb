import { FlowError } from '../errors/flow-error.ts';
import type { FileAttributes } from '../host/files.ts';
import type { Host } from '../host/host.ts';
import { runScript } from '../host/shell.ts';

/** Something in a tree of files, or the file that a tree consists of. */
export interface TreeEntry extends FileAttributes {
  /** Below the root; empty for the root itself. */
  readonly path: string;
  /** A `hardlink` is another name of what is in `target`, a path of this tree: a file, a symbolic link or a FIFO. */
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo';
  readonly target: string;
  readonly sizeBytes: number;
  /** Blocks of it are missing, and read as zeros. */
  readonly isSparse: boolean;
  /** All that the file system says of it: as long as this stays, so does its content. */
  readonly version: string;
}

/**
 * Prints what is at a path and below it, in base64, since a name may have anything but NUL: a line of facts, the name below the path, and
 * where a link leads, each with a NUL. Nothing for a path where nothing is. Argument: the path.
 * @see find(1): what is removed meanwhile is passed over by -ignore_readdir_race
 */
const LIST_SCRIPT = `
[ -e "$1" ] || [ -L "$1" ] || exit 0
find "$1" -ignore_readdir_race -printf '%y %m %U %G %s %b %n %D:%i %T@ %C@\\0%P\\0%l\\0' | base64 -w 4096
`;

/**
 * What is at a path of a host and below it: directories before what is in them. Empty when nothing is there. Sockets are left out: only
 * who made one can give it back.
 * @throws FlowError TRANSFER_FAILED for a device, a name that is not UTF-8, and what cannot be read
 */
export async function listTree(host: Host, root: string, signal?: AbortSignal): Promise<TreeEntry[]> {
  const lines: string[] = [];
  const result = await runScript(host, LIST_SCRIPT, [root], {
    timeoutMs: 3_600_000,
    onLine: (line) => lines.push(line),
    ...(signal && { signal }),
  });
  if (result.exitCode !== 0 || result.stderr !== '') {
    throw new FlowError('TRANSFER_FAILED', `${root} on ${host.name} cannot be read as a whole`, {
      host: host.name,
      evidence: result.stderr.trim().split('\n')[0] ?? '',
    });
  }
  return parseTree(Buffer.from(lines.join(''), 'base64'), { root, hostName: host.name });
}

/** @param listing what {@link LIST_SCRIPT} prints, out of base64 */
function parseTree(
  listing: Buffer,
  { root, hostName }: { readonly root: string; readonly hostName: string },
): TreeEntry[] {
  const fields = listing.toString('utf8').split('\0');
  if (!Buffer.from(fields.join('\0')).equals(listing)) {
    const name = fields.find((field) => field.includes('\uFFFD')) ?? '';
    throw refused(hostName, `${root}/${name}`, 'its name is not UTF-8, which this cannot carry');
  }
  const found: [path: string, facts: string, target: string][] = [];
  for (let index = 0; index + 2 < fields.length; index += 3) {
    const [facts = '', path = '', target = ''] = fields.slice(index, index + 3);
    found.push([path, facts, target]);
  }
  // So that the same of several names is the first, whatever the order on the disk is.
  found.sort(([one], [other]) => (one < other ? -1 : 1));
  const entries: TreeEntry[] = [];
  const firstNames = new Map<string, string>();
  for (const [path, facts, target] of found) {
    const [type, mode = '', uid, gid, size, blocks, names, inode = '', modified] = facts.split(' ');
    if (type === 's') continue;
    const kind = KINDS[type ?? ''];
    if (kind === undefined) throw refused(hostName, path === '' ? root : `${root}/${path}`, 'it is a device');
    const first = kind !== 'directory' && Number(names) > 1 ? firstNames.get(inode) : undefined;
    if (first === undefined) firstNames.set(inode, path);
    entries.push({
      path,
      ...(first === undefined ? { kind, target } : { kind: 'hardlink', target: first }),
      mode: Number.parseInt(mode, 8),
      uid: Number(uid),
      gid: Number(gid),
      modifiedAtS: Math.floor(Number(modified)),
      sizeBytes: Number(size),
      // %b counts 512 bytes each, whatever the file system's blocks are.
      isSparse: Number(blocks) * 512 < Number(size),
      version: `${facts} ${first ?? ''} ${target}`,
    });
  }
  return entries;
}

const KINDS: Readonly<Record<string, 'file' | 'directory' | 'symlink' | 'fifo'>> = {
  f: 'file',
  d: 'directory',
  l: 'symlink',
  p: 'fifo',
};

function refused(host: string, path: string, why: string): FlowError {
  return new FlowError('TRANSFER_FAILED', `${path} on ${host} cannot go by SFTP: ${why}`, {
    host,
    hint: 'Use `transfer/rsync`, or take it out of `files` in the recipe.',
  });
}
