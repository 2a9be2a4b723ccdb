import type { Fence } from './fence.ts';
import { fenceTable } from './fence.ts';

/**
 * Keeps all but root from a port of 127.0.0.1: whoever is let in there may read the memory of a workload, or have criu believe that all of
 * it was fetched.
 * @see nft(8), meta skuid
 */
export function portFence(runId: string, port: number): Fence {
  const table = `${fenceTable(runId)}_port`;
  return {
    table,
    text: [
      `add table inet ${table}`,
      `delete table inet ${table}`,
      `add table inet ${table}`,
      `add chain inet ${table} output { type filter hook output priority 0; }`,
      `add rule inet ${table} output oifname lo tcp dport ${port} meta skuid != 0 reject with tcp reset`,
    ].join('\n'),
  };
}

/** Takes it down. Argument: the run's id, as its table has it. Idempotent. */
export const PORT_FENCE_DOWN_SCRIPT = 'nft delete table inet "$1_port" 2> /dev/null; :';
