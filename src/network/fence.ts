import { fillIn } from '../host/script-line.ts';

/**
 * A fence drops what goes to and from a service address, so that no packet meets a host that does not run the
 * workload: such a host's kernel would answer with RST, and the connection would be lost.
 */
export interface Fence {
  /** The name of its nft tables (families inet and, for `both`, arp), one for each run. */
  readonly table: string;
  /** nft(8) text that sets it up in one transaction, also when it is there already. */
  readonly text: string;
}

/**
 * @param direction `in` on the source, whose frozen workload sends nothing; `both` on the destination, where the
 *   kernel must not answer for sockets that are still being rebuilt, nor tell its neighbours that it has the address: a
 *   run that is lost leaves it there, while the source takes up the service again.
 * @see CRIU marks its own packets with 0xC114 (SOCCR_MARK), which pass.
 */
export function serviceFence(runId: string, cidr: string, direction: 'in' | 'both'): Fence {
  const table = fenceTable(runId);
  const address = cidr.split('/')[0] ?? cidr;
  const family = address.includes(':') ? 'ip6' : 'ip';
  const rules = [
    `add table inet ${table}`,
    `delete table inet ${table}`,
    `add table inet ${table}`,
    `add chain inet ${table} input { type filter hook input priority -300; }`,
    `add rule inet ${table} input ${family} daddr ${address} meta mark != 0xc114 drop`,
  ];
  if (direction === 'both') {
    rules.push(
      `add chain inet ${table} output { type filter hook output priority -300; }`,
      `add rule inet ${table} output ${family} saddr ${address} meta mark != 0xc114 drop`,
      `add table arp ${table}`,
      `delete table arp ${table}`,
      `add table arp ${table}`,
      `add chain arp ${table} output { type filter hook output priority 0; }`,
    );
    // Answers only: a question for a neighbour that would go unheard is asked again after a second. IPv6 asks and
    // answers by ICMPv6, which the rules above drop.
    if (family === 'ip') {
      rules.push(`add rule arp ${table} output arp operation reply arp saddr ip ${address} drop`);
    }
  }
  return { table, text: rules.join('\n') };
}

/** Puts up a fence, whose text is its input. */
export const FENCE_SCRIPT = 'nft -f -';

export function fenceTable(runId: string): string {
  return `criu_flow_${runId.replaceAll('-', '_')}`;
}

/** Lifts a fence of direction `both`, in one transaction. Argument: the table. */
export const LIFT_BOTH_SCRIPT = `nft "delete table inet $1; delete table arp $1"`;

/** What {@link LIFT_BOTH_SCRIPT} runs. */
export function liftBothCommand(table: string): string[] {
  return fillIn(LIFT_BOTH_SCRIPT, { $1: table });
}
