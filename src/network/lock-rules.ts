import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import { fenceTable } from './fence.ts';

/**
 * The tables of criu's network lock, which it leaves on the source of a dump that commits. Only those that are new
 * since the snapshot of this run go. Arguments: the run's directory, the fence's table.
 * @see CRIU: `inet CRIU-ID` with one ID a dump; `criu dump --network-lock nftables`.
 */
export const SNAPSHOT_LOCKS_SCRIPT = `nft list tables 2> /dev/null | grep ' inet CRIU-' | sort > "$1/locks-before" || :`;

const REMOVE_LOCKS_SCRIPT = `
nft delete table inet "$2" 2> /dev/null
[ -f "$1/locks-before" ] || exit 0
nft list tables 2> /dev/null | grep ' inet CRIU-' | sort | comm -13 "$1/locks-before" - | while read -r _ family name; do
  nft delete table "$family" "$name"
done
`;

/** Removes the run's fence and criu's lock from the source. Idempotent; the address must have left before. */
export async function removeLockRules(source: Host, runDirectory: string, runId: string): Promise<void> {
  await mustRunScript(source, REMOVE_LOCKS_SCRIPT, [runDirectory, fenceTable(runId)], {
    what: "Removing criu's network lock",
  });
}
