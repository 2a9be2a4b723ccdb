/**
 * `enter_scope COMMAND…`: becomes that command, in the scope of systemd that the file `scope` tells of: two names, of which it takes the
 * first that is free, then its properties, one a line. Without such a file or without systemd, or in that scope already, it just
 * becomes the command. In a hold's directory.
 *
 * A scope is no part of the session of ssh that asked for it, so that the workload outlives that wherever logind ends what
 * sessions leave (logind.conf(5), `KillUserProcesses=`); and it has the limits that the workload had.
 * @see systemd-run(1), `--scope`
 */
export const ENTER_SCOPE_FUNCTION = `
enter_scope() {
  if [ -s scope ] && [ -d /run/systemd/system ]; then
    { read -r name; read -r other; } < scope
    ! grep -q -e "/$name\\$" -e "/$other\\$" /proc/self/cgroup || exec "$@"
    set -- -- "$@"
    while read -r property; do
      case $property in *=*) set -- "--property=$property" "$@" ;; esac
    done < scope
    [ "$(systemctl show --property LoadState --value -- "$name")" = not-found ] || name=$other
    # A dollar sign in what it runs is nothing to it.
    ! systemd-run --help | grep -q -e --expand-environment || set -- --expand-environment=no "$@"
    exec systemd-run --quiet --scope --collect --unit="$name" "$@"
  fi
  exec "$@"
}
`;

/** What a supervisor is started by. Arguments: the hold's directory, then its command. */
export const SCOPED_SCRIPT: string = `
${ENTER_SCOPE_FUNCTION}
cd "$1" || exit 1
shift
enter_scope "$@"
`;

/**
 * Waits until the supervisor is there, half a minute at most, and prints `scope`, or `none` on a host without systemd. Argument: the
 * hold's directory.
 */
export const UNTIL_SUPERVISED_SCRIPT = `
cd "$1" || exit 1
rounds=0
until [ -f supervised ]; do
  if [ "$rounds" -ge 600 ] || flock -n -s process/lock true; then
    [ ! -f supervised ] || break
    cat process/stderr >&2
    exit 1
  fi
  sleep 0.05
  rounds=$((rounds + 1))
done
if [ -d /run/systemd/system ]; then echo scope; else echo none; fi
`;
