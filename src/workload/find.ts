import { FlowError } from '../errors/flow-error.ts';
import { commandOn } from '../host/command-on.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import type { ProcessSelector, WorkloadSelector } from '../plan/plan.ts';

/**
 * Prints the pids that a selector names, one a line. A unit is a scope of that name when it is none that runs. `executable` compares /proc/PID/exe and the whole argument
 * vector, so it can match neither this script nor the shell that runs it. Arguments: the kind, then the value; for
 * `executable` the path, `any` or `exact`, and the arguments.
 */
const FIND_SCRIPT = `
case $1 in
pid) [ ! -d "/proc/$2" ] || echo "$2" ;;
pid-file)
  [ -f "$2" ] || { echo "no such file" >&2; exit 3; }
  read -r pid < "$2" || [ -n "$pid" ] || { echo "it is empty" >&2; exit 3; }
  case $pid in '' | *[!0-9]*) echo "it holds no pid" >&2; exit 3 ;; esac
  [ -d "/proc/$pid" ] || { echo "it names process $pid, which is not there" >&2; exit 3; }
  echo "$pid" ;;
unit)
  command -v systemctl > /dev/null || { echo "this host has no systemctl" >&2; exit 3; }
  pid=0
  case $2 in *.scope) ;; *) pid=$(systemctl show --property MainPID --value -- "$2") || exit 3 ;; esac
  if [ "$pid" = 0 ]; then
    # What was moved to this host is in a scope: those of its processes whose parents are not in it.
    scope=\${2%.scope}
    scope=$(printf '%s' "\${scope%.service}" | sed 's/@/\\\\x40/g').scope
    cgroup=$(systemctl show --property ControlGroup --value -- "$scope") || exit 3
    pids=$([ -z "$cgroup" ] || cat "/sys/fs/cgroup$cgroup/cgroup.procs" "/sys/fs/cgroup/systemd$cgroup/cgroup.procs" 2> /dev/null)
    for pid in $pids; do
      parent=$(sed 's/^.*) [^ ]* \\([0-9]*\\) .*/\\1/' "/proc/$pid/stat" 2> /dev/null) || continue
      echo "$pids" | grep -qx "$parent" || grep -qzx criu-flow "/proc/$pid/cmdline" 2> /dev/null || echo "$pid"
    done
    exit 0
  fi
  restart=$(systemctl show --property Restart --value -- "$2")
  [ "$restart" = no ] || [ -z "$restart" ] || { echo "restart $restart" >&2; exit 4; }
  [ "$pid" = 0 ] || echo "$pid" ;;
executable)
  path=$(readlink -f -- "$2") || exit 0
  mode=$3
  shift 3
  want=$({ [ $# -eq 0 ] || printf '%s\\0' "$@"; } | cksum)
  found=' '
  for exe in /proc/[0-9]*/exe; do
    [ "$(readlink "$exe" 2> /dev/null)" = "$path" ] || continue
    dir=\${exe%/exe}
    if [ "$mode" = exact ]; then
      have=$(tail -z -n +2 "$dir/cmdline" 2> /dev/null | cksum)
      [ "$have" = "$want" ] || continue
    fi
    found="$found\${dir#/proc/} "
  done
  # Those that descend from another one move with it, as workers do with their master.
  for pid in $found; do
    up=$pid
    while up=$(sed 's/^.*) [^ ]* \\([0-9]*\\) .*/\\1/' "/proc/$up/stat" 2> /dev/null) && [ "\${up:-0}" -gt 1 ]; do
      case $found in *" $up "*) continue 2 ;; esac
    done
    echo "$pid"
  done ;;
esac
`;

/**
 * The pid of the workload's root process.
 * @throws FlowError WORKLOAD_NOT_FOUND; WORKLOAD_AMBIGUOUS with the pids that match; PREFLIGHT_REFUSED for a unit that
 *   systemd would start again when its process leaves.
 */
export async function findWorkload(host: Host, selector: ProcessSelector): Promise<number> {
  const words = describeSelector(selector);
  const result = await mustRunScript(host, FIND_SCRIPT, selectorArguments(selector), {
    what: 'Looking for the workload',
    allow: [3, 4],
  });
  if (result.exitCode === 4) {
    throw new FlowError('PREFLIGHT_REFUSED', `systemd would start ${words} again when its process leaves`, {
      host: host.name,
      evidence: result.stderr.trim(),
      hint: 'A second copy would run. Write `Restart=no` below `[Service]` in the editor that the command opens; it holds until the next boot.',
      ...(selector.kind === 'unit'
        ? {
            command: commandOn(host, ['systemctl', 'edit', '--runtime', '--', selector.unit], {
              terminal: true,
            }),
          }
        : {}),
    });
  }
  const pids = result.stdout.split('\n').filter(Boolean).map(Number);
  const [pid, ...others] = pids;
  if (pid === undefined) {
    const why = result.stderr.trim();
    throw new FlowError(
      'WORKLOAD_NOT_FOUND',
      `There is no ${words} on ${host.name}${why ? `: ${why}` : ''}`,
      {
        host: host.name,
        hint: 'Nothing was touched. Check the `workload:` of the recipe and the source host.',
        command: commandOn(host, ['ps', '-e', '-o', 'pid,ppid,sid,lstart,args']),
      },
    );
  }
  if (others.length > 0) {
    const message = `${pids.length} processes match, and one is needed: ${pids.join(', ')} (${words})`;
    throw new FlowError('WORKLOAD_AMBIGUOUS', message, {
      host: host.name,
      hint: 'Name one by `pid` or `pidFile`, or add `arguments`.',
    });
  }
  return pid;
}

/** Which process, or checkpoint, a selector names, in words. */
export function describeSelector(selector: WorkloadSelector): string {
  switch (selector.kind) {
    case 'pid':
      return `process ${selector.pid}`;
    case 'pid-file':
      return `process named by ${selector.path}`;
    case 'unit':
      return `running unit ${selector.unit}`;
    case 'executable':
      return `process of ${[selector.path, ...(selector.arguments ?? [])].join(' ')}`;
    case 'checkpoint':
      return selector.id === 'latest'
        ? `latest checkpoint of ${selector.series}`
        : `checkpoint ${selector.id} of ${selector.series}`;
    case 'revert':
      return `${describeSelector({ ...selector, kind: 'checkpoint' })}, in the place of what runs`;
  }
}

function selectorArguments(selector: ProcessSelector): string[] {
  switch (selector.kind) {
    case 'pid':
      return ['pid', String(selector.pid)];
    case 'pid-file':
      return ['pid-file', selector.path];
    case 'unit':
      return ['unit', selector.unit];
    case 'executable':
      return [
        'executable',
        selector.path,
        selector.arguments === undefined ? 'any' : 'exact',
        ...(selector.arguments ?? []),
      ];
  }
}
