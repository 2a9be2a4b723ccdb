import { BOOT_FUNCTION } from '../host/boot-function.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';

/** A process that is alive on a host. */
interface AliveProcess {
  readonly pid: number;
  /** Clock ticks since boot: field 22 of proc_pid_stat(5). */
  readonly startTicks: number;
  readonly command: string;
}

/** Prints the boot, then of each pid that is alive: the pid, its start time, the command line. Arguments: the pids. */
const ALIVE_SCRIPT = `
${BOOT_FUNCTION}
boot
for pid; do
  [ -r "/proc/$pid/stat" ] || continue
  command=$(tr '\\0\\n\\t' '   ' < "/proc/$pid/cmdline")
  set -- $(sed 's/^.*) //' "/proc/$pid/stat" 2> /dev/null)
  case $1 in [ZX] | '') ;; *) echo "$pid \${20} $command" ;; esac
done
`;

/** Which of some pids are alive on a host, whoever has them, and what tells the host's boot from others. Changes nothing. */
export async function readAlive(
  host: Host,
  pids: readonly number[],
): Promise<{ readonly boot: string; readonly alive: readonly AliveProcess[] }> {
  const { stdout } = await mustRunScript(host, ALIVE_SCRIPT, pids.map(String), {
    what: 'Looking at the workload',
  });
  const [boot = '', ...lines] = stdout.trimEnd().split('\n');
  const alive = lines.map((line) => {
    const [pid, startTicks, ...command] = line.split(' ');
    return { pid: Number(pid), startTicks: Number(startTicks), command: command.join(' ').trim() };
  });
  return { boot, alive };
}
