import type { Fence } from './fence.ts';
import { fenceTable } from './fence.ts';
import { fillIn } from '../host/script-line.ts';

/**
 * Keeps all but root from a port of 127.0.0.1: whoever is let in there may read the memory of a workload, or have criu believe that all of
 * it was fetched.
 * @see nft(8), meta skuid
 */
export function portFence(runId: string, port: number | string): Fence {
  const table = portFenceTable(runId);
  return {
    table,
    text: [
      `add table inet ${table}`,
      `delete table inet ${table}`,
      `add table inet ${table}`,
      `add chain inet ${table} output { type filter hook output priority 0; }`,
      // An sshd with GatewayPorts listens at all addresses, whatever it was asked for.
      `add chain inet ${table} input { type filter hook input priority 0; }`,
      `add rule inet ${table} input iifname != lo tcp dport ${port} tcp flags & (syn | ack) == syn drop`,
      `add rule inet ${table} output oifname lo tcp dport ${port} tcp flags & (syn | ack) == syn meta skuid != 0 reject with tcp reset`,
    ].join('\n'),
  };
}

/** Takes a fence of a port down. Argument: its table. */
const DOWN = 'nft delete table inet "$1"';

/** The same when it may not be there. */
export const PORT_FENCE_DOWN_SCRIPT: string = `${DOWN} 2> /dev/null; :`;

/** What {@link PORT_FENCE_DOWN_SCRIPT} runs. */
export function portFenceDownCommand(runId: string): string[] {
  return fillIn(DOWN, { $1: portFenceTable(runId) });
}

export function portFenceTable(runId: string): string {
  return `${fenceTable(runId)}_port`;
}
