import type { Host } from '../host/host.ts';
import { fillIn } from '../host/script-line.ts';
import { mustRunScript } from '../host/shell.ts';

/**
 * `remove_lock LOG PID`: deletes the nft table with which the criu of that log locked the network of the tree whose root
 * is PID, and no other run's.
 * @see CRIU: `inet CRIU-` and the run's id, of both together the first 31 characters; the root's pid before 4.0
 */
export const REMOVE_LOCK_FUNCTION = `
remove_lock() {
  id=$(sed -n '/CRIU run id = /{s/^.*CRIU run id = //p;q}' "$1" 2> /dev/null)
  nft list tables 2> /dev/null | while read -r _ family table; do
    case $table in
    "CRIU-$2") ;;
    CRIU-????????-*) case CRIU-$id in "$table"*) ;; *) continue ;; esac ;;
    *) continue ;;
    esac
    nft delete table "$family" "$table"
  done
}
`;

const REMOVE_FENCE = 'nft delete table inet "$3"';

/** How the fence of a source goes. */
export function removeFenceCommand(table: string): string[] {
  return fillIn(REMOVE_FENCE, { $3: table });
}

const REMOVE_SCRIPT = `
${REMOVE_LOCK_FUNCTION}
remove_lock "$1/dump.log" "$2"
${REMOVE_FENCE} 2> /dev/null
:
`;

/**
 * Removes the fence and criu's network lock, which a dump that commits leaves on the source. Idempotent; the address must
 * have left before.
 * @param directory the dump's hold
 * @param table the fence's
 */
export async function removeNetworkLock(
  source: Host,
  directory: string,
  rootPid: number,
  table: string,
): Promise<void> {
  await mustRunScript(source, REMOVE_SCRIPT, [directory, String(rootPid), table], {
    what: "Removing criu's network lock",
  });
}
