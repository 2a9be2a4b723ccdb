import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';

/**
 * Prints each path at or below which something has an access-control list, or an extended attribute where getfattr(1) is there to tell.
 * Arguments: the paths.
 * @see ls(1), which marks a list with `+` after the mode
 */
const LEFT_BEHIND_SCRIPT = `
for path; do
  if ls -ldn -- "$path" | grep -q '^..........+' || ls -lnR -- "$path" | grep -q '^[-dlps][-rwxsStT]\\{9\\}+ ' || {
    command -v getfattr > /dev/null &&
      getfattr -R -P -h -m '^user\\.\\|^trusted\\.\\|^security\\.capability' -- "$path" 2> /dev/null | grep -q .
  }; then printf '%s\\n' "$path"; fi
done
`;

/** Which of some paths have, at or below them, access-control lists or extended attributes: SFTP knows neither. */
export async function leftBehind(
  source: Host,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (paths.length === 0) return [];
  const { stdout } = await mustRunScript(source, LEFT_BEHIND_SCRIPT, paths, {
    what: 'Looking at the attributes of the files',
    timeoutMs: 3_600_000,
    signal,
  });
  return stdout.split('\n').filter((path) => path !== '');
}
