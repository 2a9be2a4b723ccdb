import { FlowError } from '../errors/flow-error.ts';
import type { CommandResult, RunOptions } from './host.ts';
import { defaultGraceMs } from './local-process.ts';
import { groupLivesFunction } from './remote-process-scripts.ts';

/**
 * $1 the process group, $2 and $3 the halves of the token that its leader has among its arguments (in halves, so that
 * this script does not look like the leader itself), $4 tenths of a second between SIGTERM and SIGKILL. Does nothing
 * when the leader is gone or is somebody else. Arguments are compared in the shell: no further process.
 */
const endGroupScript = `
${groupLivesFunction}
set -f
found=
for argument in $(tr '\\0\\n' '  ' <"/proc/$1/cmdline" 2>/dev/null); do
  case $argument in *"$2$3"*) found=1 ;; esac
done
[ -n "$found" ] || exit 0
kill -s TERM -- "-$1" 2>/dev/null || exit 0
set +f
left=$4
while [ "$left" -gt 0 ] && group_lives "$1"; do
  sleep 0.1
  left=$((left - 1))
done
kill -s KILL -- "-$1" 2>/dev/null
exit 0
`.trim();

/**
 * Ends the process group of a framed command on its host: SIGTERM, then SIGKILL. A group whose leader does not carry
 * the command's token is left alone, so a process id that was given to somebody else is never hit.
 * @throws FlowError what `run` throws
 */
export async function endRemoteGroup(
  run: (argv: readonly string[], options: RunOptions) => Promise<CommandResult>,
  group: string,
  token: string,
  graceMs: number = defaultGraceMs,
): Promise<void> {
  if (!/^[1-9]\d*$/.test(group) || Number(group) <= 1) {
    throw new FlowError('COMMAND_FAILED', `${JSON.stringify(group)} is no process group.`);
  }
  const half = Math.floor(token.length / 2);
  const tenths = String(Math.ceil(graceMs / 100));
  await run(
    ['sh', '-c', endGroupScript, 'criu-flow', group, token.slice(0, half), token.slice(half), tenths],
    {
      timeoutMs: graceMs + 10_000,
    },
  );
}
