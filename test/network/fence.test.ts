import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { mustRunScript } from '../../src/host/shell.ts';
import type { Host } from '../../src/host/host.ts';
import { LIFT_FENCE_SCRIPT } from '../../src/network/address-script.ts';
import { fenceTable, LIFT_BOTH_SCRIPT, serviceFence } from '../../src/network/fence.ts';
import { namespaceSkipReason, networkNamespace } from '../helpers/network-namespace.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

test('each run has a table of its own', () => {
  expect(fenceTable('20261123-142339-a1b2')).toBe('criu_flow_20261123_142339_a1b2');
});

const sh = async (host: Host, script: string, ...args: readonly string[]): Promise<string> =>
  (await mustRunScript(host, script, args, { what: script })).stdout.trim();
const nft = (host: Host, text: string): Promise<unknown> =>
  mustRunScript(host, 'nft -f -', [], { what: 'Putting up the fence', stdin: text });

describe.skipIf(namespaceSkipReason !== undefined)(
  `in a network namespace${namespaceSkipReason === undefined ? '' : ` (skipped: ${namespaceSkipReason})`}`,
  () => {
    test.each(['10.0.0.9/24', 'fd00::9/64'])(
      'the fence of %s can be put up twice, and is lifted whole',
      async (cidr) => {
        await using network = await networkNamespace();
        using directory = temporaryDirectory();
        const { text, table } = serviceFence('r-1', cidr, 'both');
        await nft(network.host, text);
        await nft(network.host, text);
        expect(await sh(network.host, 'nft list tables')).toBe(`table inet ${table}\ntable arp ${table}`);
        writeFileSync(directory.at('values'), `${table}\n${cidr}\nlo\n`);
        await sh(network.host, `cd "$1" && ${LIFT_FENCE_SCRIPT}`, directory.path);
        expect(await sh(network.host, 'nft list ruleset')).toBe('');
      },
    );

    /** Two hosts on one cable: the first has the service address, the second asks for it. */
    test.each([
      ['10.0.0.9/24', '10.0.0.1/24'],
      ['fd00::9/64', 'fd00::1/64'],
    ])('a fenced destination does not tell its neighbours that it has %s', async (cidr, peerCidr) => {
      await using destination = await networkNamespace();
      await using peer = await networkNamespace();
      const nodad = cidr.includes(':') ? 'nodad' : '';
      await sh(
        destination.host,
        `ip link add srv type veth peer name eth netns "$1" && ip link set srv up && ip address add "$2" dev srv ${nodad}`,
        String(peer.pid),
        cidr,
      );
      await sh(
        peer.host,
        `ip link set eth up && ip address add "$1" dev eth ${nodad}
        sysctl -q -w net.ipv4.neigh.eth.retrans_time_ms=50 net.ipv6.neigh.eth.retrans_time_ms=50`,
        peerCidr,
      );
      const [address = ''] = cidr.split('/');
      const answers = async (): Promise<boolean> => {
        await sh(
          peer.host,
          'ip neigh flush dev eth; bash -c "echo > /dev/udp/$1/9" 2> /dev/null || :',
          address,
        );
        const state = (): Promise<string> =>
          sh(peer.host, 'ip neigh show to "$1" dev eth | awk \'{ print $NF }\'', address);
        await expect.poll(state, { timeout: 10_000 }).toMatch(/^(REACHABLE|DELAY|STALE|FAILED)$/);
        return (await state()) !== 'FAILED';
      };
      const { text, table } = serviceFence('r1', cidr, 'both');
      expect(await answers()).toBe(true);
      await nft(destination.host, text);
      expect(await answers()).toBe(false);
      await sh(destination.host, LIFT_BOTH_SCRIPT, table);
      expect(await answers()).toBe(true);
    });
  },
);
