import type { MigrationLab } from '../helpers/migration-lab.ts';

/** Where the hosts `a` and `b` have mounted what `c` exports from `/export`. */
export const NFS = '/mnt/nfs';

/**
 * A short lease, and a short grace after a restart: who waits for it holds a frozen process. Argument: an option of the export.
 * @see rpc.nfsd(8), nfsdcld(8), exports(5)
 */
const SERVE_SCRIPT = `
mkdir -p /export
if [ ! -e /proc/fs/nfsd/threads ]; then
  modprobe nfsd
  mount -t nfsd nfsd /proc/fs/nfsd
  # Else the kernel waits for it at each start.
  mkdir -p /var/lib/nfs/rpc_pipefs
  mount -t rpc_pipefs sunrpc /var/lib/nfs/rpc_pipefs
  nfsdcld
fi
rpc.nfsd 0
for time in grace lease; do echo 5 > "/proc/fs/nfsd/nfsv4\${time}time"; done
exportfs -ua
exportfs -o "rw,no_subtree_check,fsid=0,$1" '*:/export'
pidof rpc.mountd > /dev/null || rpc.mountd -N 3
rpc.nfsd -N 3 2
echo Y > /proc/fs/nfsd/v4_end_grace
`;

/** For a step of a recipe: restarts the server, which forgets who had what. Its clients claim it back. */
export const RESTART_SERVER = 'rpc.nfsd 0; exportfs -f; rpc.nfsd -N 3 2';

/** Exports `/export` of the machine `c` to all, over NFSv4; says so again with another option when it did before. */
export async function serveNfs(lab: MigrationLab, root: 'no_root_squash' | 'root_squash'): Promise<void> {
  await lab.sh('c', SERVE_SCRIPT, root);
}

export async function mountNfs(lab: MigrationLab): Promise<void> {
  for (const host of ['a', 'b']) await lab.sh(host, `mkdir -p ${NFS}; mount -t nfs4 c:/ ${NFS}`);
}

/** A client whose server is gone first would wait for it. */
export async function unmountNfs(lab: MigrationLab): Promise<void> {
  for (const host of ['a', 'b']) await lab.sh(host, `umount -f -l ${NFS}`);
}
