/**
 * Ends what a lost criu left half-restored: the pids of the workload, which were free before the restore, and only
 * where the process began after the hold's directory did. Arguments: the hold's directory, the pids.
 */
export const KILL_RESTORED_SCRIPT = `
[ -d "$1/process" ] || exit 0
since=$(stat -c %Y "$1/process")
now=$(date +%s)
read -r uptime _ < /proc/uptime
ticks=$(getconf CLK_TCK)
boot=$((now - \${uptime%.*}))
for pid in $2; do
  [ -r "/proc/$pid/stat" ] || continue
  set -- "$1" "$2" $(sed 's/^.*) //' "/proc/$pid/stat")
  began=$((boot + \${22} / ticks + 2))
  [ "$began" -lt "$since" ] || kill -KILL "$pid"
done
:
`;
