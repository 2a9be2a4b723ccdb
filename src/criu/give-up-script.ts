import { SETTLE_PRELUDE } from './settle-script.ts';

/**
 * Stands in for a `criu dump` that has nothing to dump: a copy that is to be ended, and until then runs on. It goes through the
 * hold script as criu does: `pre-dump` puts the fence up; `post-restore`, which stops no task, waits for the decision. Exits with
 * 0 when the copy was to end and has, else with 1. Argument: the hold script.
 */
export const STAND_IN_SCRIPT = `
export CRTOOLS_IMAGE_DIR="/proc/$$"
CRTOOLS_SCRIPT_ACTION=pre-dump "$1" && CRTOOLS_SCRIPT_ACTION=post-restore "$1" || exit 1
sh "\${1%/*}/settle" ended
`;

/**
 * What a hold of the stand-in has as `settle`. After a commit the tasks are ended, with all that descends from them and all of their
 * sessions: each is stopped first, so that it cannot fork another one meanwhile. After an abort the address comes back and the
 * fence goes; nobody was stopped.
 */
export const SETTLE_GIVE_UP_SCRIPT: string = `#!/bin/sh
${SETTLE_PRELUDE}
alive() {
  while read -r pid began _; do
    look "$pid"
    case $state:$start in [ZX]:* | :*) ;; *":$began") printf '%s ' "$pid" ;; esac
  done < tasks
}
stop() {
  kill -STOP "$1" 2> /dev/null
  waits=0
  while look "$1" && [ "$waits" -lt 100 ]; do
    case $state in [TtZX] | '') return ;; esac
    sleep 0.01
    waits=$((waits + 1))
  done
}
add() {
  look "$1"
  [ -n "$start" ] || return 0
  grep -q "^$1 $start\\( \\|$\\)" tasks || { echo "$1 $start" >> tasks && found=yes; } || fail "tasks cannot be written"
}
# Sessions of tasks that are alive, or have ended: their numbers are nobody else's as long as somebody is in them.
sessions() {
  while read -r pid began _; do
    look "$pid"
    case $began:$start in 0:*) ;; *: | "$began:$began") printf '%s ' "$pid" ;; esac
  done < tasks
}
gather() {
  stopped=' '
  found=yes
  while [ -n "$found" ]; do
    found=
    for pid in $(alive); do
      case $stopped in *" $pid "*) ;; *) stop "$pid"; stopped="$stopped$pid " found=yes ;; esac
    done
    for pid in $(alive); do
      for children in "/proc/$pid/task/"*/children; do
        child=
        read -r child 2> /dev/null < "$children"
        for child in $child; do add "$child"; done
      done
    done
    known=" $(sessions)"
    for file in /proc/[0-9]*/stat; do
      pid=\${file#/proc/} pid=\${pid%/stat}
      look "$pid"
      [ -z "$session" ] || case $known in *" $session "*) add "$pid" ;; esac
    done
  done
}
if [ "$decision" = commit ]; then
  gather
  end_tasks
  # Whoever was forked before its parent stood still.
  gather
  end_tasks
  settled ended
fi
[ -f aborted ] || [ ! -f on-abort ] || sh ./on-abort
[ ! -f fence.table ] || nft delete table inet "$(cat fence.table)" 2> /dev/null
settled resumed
`;
