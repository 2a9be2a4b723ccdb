/**
 * `enter_scope COMMAND…`: becomes that command, in the scope of systemd that the file `scope` tells of: two names, of which it takes the
 * first that is free, then its properties, one a line. Without such a file or without systemd, or in that scope already, it just
 * becomes the command. In a hold's directory.
 *
 * A scope is no part of the session of ssh that asked for it, so that the workload outlives that wherever logind ends what
 * sessions leave (logind.conf(5), `KillUserProcesses=`). It is not limited yet: the limits of the workload are none for criu.
 *
 * `limit_scope`: sets the properties, once the workload runs, and leaves those that this systemd refuses in the file `limits`.
 * @see systemd-run(1), `--scope`; systemctl(1), set-property
 */
export const SCOPE_FUNCTIONS = `
enter_scope() {
  if [ -s scope ] && [ -d /run/systemd/system ]; then
    { read -r name; read -r other; } < scope
    within=
    while read -r line; do
      case $line in */"$name" | */"$other") within=1 ;; esac
    done < /proc/self/cgroup
    [ -z "$within" ] || exec "$@"
    [ "$(systemctl show --property LoadState --value -- "$name")" = not-found ] || name=$other
    printf '%s\\n' "$name" > scope.entered
    set -- -- "$@"
    # A dollar sign in what it runs is nothing to it.
    ! systemd-run --help | grep -q -e --expand-environment || set -- --expand-environment=no "$@"
    exec systemd-run --quiet --scope --collect --property=TasksMax=infinity --unit="$name" "$@"
  fi
  exec "$@"
}
limit_scope() {
  [ -s scope.entered ] || return 0
  read -r entered < scope.entered
  while read -r property; do
    case $property in
    *=*) systemctl set-property --runtime -- "$entered" "$property" > /dev/null 2>&1 < /dev/null || echo "$property" ;;
    esac
  done < scope > limits.new
  mv limits.new limits
}
`;

/** What a supervisor is started by. Arguments: the hold's directory, then its command. */
export const SCOPED_SCRIPT: string = `
${SCOPE_FUNCTIONS}
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

/**
 * Waits until the limits of a scope are set, ten seconds at most, and prints those that are not, one a line. Argument: the hold's
 * directory.
 */
export const UNTIL_LIMITED_SCRIPT = `
cd "$1" 2> /dev/null && [ -s scope.entered ] || exit 0
rounds=0
while [ ! -f limits ] && [ "$rounds" -lt 200 ] && ! flock -n -s process/lock true; do
  sleep 0.05
  rounds=$((rounds + 1))
done
if [ -f limits ]; then cat limits; else sed 1,2d scope; fi
`;
