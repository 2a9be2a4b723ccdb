/**
 * Ends what a lost criu left half-restored: the pids of the workload, which were free before the restore, and only
 * processes that began after criu was told to start. Both times count from boot, in hundredths of a second: clock
 * ticks (USER_HZ) are that on Linux. Arguments: the hold's directory, the pids.
 * @see proc_pid_stat(5), starttime; proc_uptime(5)
 */
export const KILL_RESTORED_SCRIPT = `
[ -f "$1/started" ] || exit 0
read -r started < "$1/started"
started=\${started%.*}\${started#*.}
for pid in $2; do
  [ -r "/proc/$pid/stat" ] || continue
  set -- "$1" "$2" $(sed 's/^.*) //' "/proc/$pid/stat")
  [ "\${22}" -lt "$started" ] || kill -KILL "$pid"
done
:
`;
