import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';

/** `ss -K` needs CONFIG_INET_DIAG_DESTROY; without it the kernel forgets these sockets in some minutes. @see ss(8) */
const SCRIPT = `
ss -H -O -n -t -a -p src "$1" | while read -r _ _ _ local peer processes; do
  [ -n "$processes" ] || ss -H -K -n -t -a src "$local" dst "$peer" > /dev/null
done
`;

/**
 * Ends the TCP connections of an address that no process has any more. Tasks that were killed without criu leave theirs
 * behind: the kernel tries for minutes to close them, though the address has left, and as long as it does no connection
 * of the same client can be restored on that host. Only for a host that does not have the address.
 * @param cidr the service address
 */
export async function endOrphanSockets(host: Host, cidr: string): Promise<void> {
  const [address = cidr] = cidr.split('/');
  await mustRunScript(host, SCRIPT, [address], { what: 'Ending connections without a process' });
}
