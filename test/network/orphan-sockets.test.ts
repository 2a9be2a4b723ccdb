import { expect, test } from 'vitest';
import { mustRunScript } from '../../src/host/shell.ts';
import { endOrphanSockets } from '../../src/network/orphan-sockets.ts';
import { namespaceSkipReason, networkNamespace } from '../helpers/network-namespace.ts';

/**
 * A service with an address of its own, and a client: killed when its address is gone, the service leaves a connection that
 * the kernel cannot close. Prints the client's pid.
 */
const LEAVE_AN_ORPHAN = `
node=$1
ip link set lo up
ip address add 192.0.2.9/32 dev lo
ip address add 192.0.2.1/32 dev lo
"$node" -e 'net.createServer().listen(7000, "192.0.2.9")' < /dev/null > /dev/null 2>&1 & service=$!
until ss -H -l -n -t src 192.0.2.9:7000 | grep -q .; do sleep 0.05; done
"$node" -e 'net.connect({ host: "192.0.2.9", port: 7000, localAddress: "192.0.2.1" })' < /dev/null > /dev/null 2>&1 &
echo $!
until ss -H -n -t state established src 192.0.2.9:7000 | grep -q .; do sleep 0.05; done
ip address del 192.0.2.9/32 dev lo
kill -KILL "$service"
until [ -z "$(ss -H -n -t -a -p src 192.0.2.9 | grep users:)" ]; do sleep 0.05; done
`;

test.skipIf(namespaceSkipReason !== undefined)(
  'a connection whose process was killed goes, and no other',
  async () => {
    await using namespace = await networkNamespace();
    const { host } = namespace;
    const connections = async (address: string): Promise<string> =>
      (await mustRunScript(host, 'ss -H -n -t src "$1"', [address], { what: 'ss' })).stdout;
    const left = await mustRunScript(host, LEAVE_AN_ORPHAN, [process.execPath], { what: 'The orphan' });
    await using _ = { [Symbol.asyncDispose]: async () => void process.kill(Number(left.stdout), 'SIGKILL') };
    expect(await connections('192.0.2.9')).toContain('192.0.2.1');
    await endOrphanSockets(host, '192.0.2.9/24');
    expect(await connections('192.0.2.9')).toBe('');
    // That of the client has a process.
    expect(await connections('192.0.2.1')).toContain('192.0.2.9');
    await endOrphanSockets(host, '192.0.2.1/24');
    expect(await connections('192.0.2.1')).toContain('192.0.2.9');
  },
);
