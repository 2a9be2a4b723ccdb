import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';

/**
 * Prints, for each file below some paths that a process has mapped shared, the number of the path, TAB, and the file's name below it
 * (`.` for the path itself), then NUL. Arguments: the pids, separated by spaces; the paths.
 * @see proc_pid_maps(5): `s` at the end of the permissions; a line feed in a name is `\\012`
 */
const SHARED_SCRIPT = `
maps=$(for pid in $1; do
  awk '$2 ~ /s$/ && $6 ~ /^\\// { sub(/^[^\\/]*/, ""); print }' "/proc/$pid/maps" 2> /dev/null
done | LC_ALL=C sort -u)
[ -n "$maps" ] || exit 0
shift
index=0
for path; do
  real=$(readlink -f -- "$path") || real=$path
  printf '%s\\n' "$maps" | while IFS= read -r file; do
    case $file in
    "$real") printf '%s\\t.\\0' "$index" ;;
    "$real"/*) printf '%s\\t%s\\0' "$index" "\${file#"$real"/}" ;;
    esac
  done
  index=$((index + 1))
done
`;

/** Of each path, the files below it that processes have mapped shared, by their names below it: `.` is the path itself. */
export type SharedMappings = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * Looks which files some processes can write by their memory alone. When a page of one is dirty already, the kernel gives the file no
 * new time for another store into it: who compares times takes it for unchanged. Changes nothing.
 * @see file_update_time() in the kernel: it is called when a store faults, and a store into a page that can be written does not
 */
export async function readSharedMappings(
  host: Host,
  pids: readonly number[],
  paths: readonly string[],
): Promise<SharedMappings> {
  const { stdout } = await mustRunScript(host, SHARED_SCRIPT, [pids.join(' '), ...paths], {
    what: 'Looking at the mapped files',
  });
  const found = new Map<string, Set<string>>();
  for (const record of stdout.split('\0').filter(Boolean)) {
    const [index = '', ...name] = record.split('\t');
    const path = paths[Number(index)];
    if (path === undefined) throw new Error(`an answer of the shared script: ${record}`);
    found.set(path, (found.get(path) ?? new Set()).add(name.join('\t').replaceAll('\\012', '\n')));
  }
  return found;
}

/** What any of them has. */
export function mergeMappings(...all: readonly SharedMappings[]): SharedMappings {
  const merged = new Map<string, Set<string>>();
  for (const [path, names] of all.flatMap((each) => [...each]))
    merged.set(path, new Set([...(merged.get(path) ?? []), ...names]));
  return merged;
}
