import { BOOT_FUNCTION } from '../host/boot-function.ts';
import { SCOPE_FUNCTIONS } from './scope-script.ts';

/**
 * `put FILE WORD`: makes a file of one word, at once. Its room is taken when the hold is prepared, and what is decided is
 * linked from files that were written then: on a disk that is full by now, an empty file would say something else.
 */
export const PUT_FUNCTION = `
put() { printf '%-15s\\n' "$2" 1<> "$1.new" && mv "$1.new" "$1"; }
`;

/**
 * Waits for the decision of a hold, in its directory; with a lease, silence of that many seconds is one. The doorbell is open as file
 * descriptor 4.
 */
const UNTIL_DECIDED = `
lease=
[ ! -f lease ] || read -r lease < lease
while [ ! -f decision ]; do
  if [ -n "$lease" ] && [ ! -f lease-end ]; then
    timeout "$lease" dd bs=1 count=1 of=/dev/null 2> /dev/null <&4
    if [ $? -eq 124 ]; then
      if ln lease.expired lease-end 2> /dev/null; then ln decision.lease decision 2> /dev/null; fi
    fi
  else
    dd bs=1 count=1 of=/dev/null 2> /dev/null <&4 || exit 1
  fi
done
`;

/**
 * Ends criu, of this boot of the host, unless the decision is to commit: one that serves memory has frozen the workload until it ends,
 * and a restore that has not come to its hold has run nothing, and may never come to it. In the hold's directory.
 */
const END_UNLESS_COMMITTED = `
decision=
read -r decision _ < decision
if [ "$decision" != commit ] && [ ! -f exit ] && [ -s criu ] && [ "$(cat boot)" = "$(boot)" ]; then
  read -r criu < criu
  IFS=/ read -r _ _ pid _ < criu
  { [ ! -L "$criu" ] && [ ! -e "$criu" ]; } || kill -KILL "$pid" 2> /dev/null
fi
`;

/** Puts up the fence of a hold, in its directory. */
export const FENCE_UP = 'nft -f fence.nft';

/**
 * The action script with which criu holds a workload between the phases of the protocol. criu runs it at the action
 * points of criu(8) with CRTOOLS_SCRIPT_ACTION set, stdin closed and stdout in criu's log.
 *
 * - `pre-dump` (before anything is frozen): puts up the fence of the source, so that no packet reaches the service
 *   address from the freeze on: a connection that the kernel accepted for a frozen process would be lost.
 * - `post-dump`: leaves `dumped`, since all images are written. Writes down which tasks are frozen, and sends each a SIGSTOP. It stays pending as long as criu holds them;
 *   when criu is killed, the kernel lets go of them, and they stop instead of running on. On abort SIGCONT takes it back
 *   before criu does.
 * - `post-restore`: writes down in `restored` which tasks it has rebuilt, with their start times: who has one of their pids later is
 *   somebody else. Waits for what `guarded` waits for, if there is such a script.
 * - `post-dump` and `post-restore`: say `held`, with the size of the images in bytes and the milliseconds that criu took for it,
 *   run `on-held` meanwhile, if there is such a script, which the decision ends; and wait for a decision. Exit 0 is
 *   commit; anything else, the death of this script included, is abort: it fails closed.
 * - `pre-resume` (whole, and let go next): leaves `resuming`; should criu die from now on, the kernel lets it go.
 * - `post-resume` (the workload runs): runs `on-resume`, which lifts the destination's fence without a round trip, be
 *   the controller lost.
 *
 * A dump that `serves` its memory does not wait here, since it serves only after this script: the supervisor does, in its place.
 *
 * A decision is a file that is linked into place, so that the first one wins and is never half-written. The FIFO
 * `doorbell` only wakes the waiter, who has it open before it looks for a file. With a lease, silence of that many seconds
 * is a decision to abort. Ringing the bell renews it, and a waiver ends it: `lease-end` is `expired` or `waived`,
 * whichever is linked first. On abort the source runs `on-abort` itself, which puts the service address back: a lost
 * controller is no reason for a lost service. When criu is gone by then, `settle` does what it would have done.
 *
 * What runs is our own fixed text; its values are in files beside it, one a line, that no shell reads as text.
 */
export const HOLD_SCRIPT: string = `#!/bin/sh
cd "\${0%/*}" || exit 1
# Before all that these do not need: the workload waits for each of them.
case $CRTOOLS_SCRIPT_ACTION in
pre-resume)
  : > resuming
  exit ;;
post-resume)
  [ ! -f on-resume ] || sh ./on-resume
  exit ;;
pre-dump | pre-restore | post-dump | post-restore) ;;
*) exit 0 ;;
esac
${PUT_FUNCTION}
look() {
  stat=
  { while read -r line; do stat="$stat $line"; done < "/proc/$1/stat"; } 2> /dev/null
  set -- \${stat##*) }
  state=$1 start=\${20}
}
tree() {
  look "$1"
  echo "$1 $start $state"
  for children in "/proc/$1/task/"*/children; do
    child=
    read -r child 2> /dev/null < "$children"
    for child in $child; do tree "$child"; done
  done
}
# Milliseconds since boot, ten at a time: to ask for them more exactly takes another process.
now() {
  read -r uptime _ < /proc/uptime
  now=\${uptime%.*}\${uptime#*.}0
}
echo "$CRTOOLS_IMAGE_DIR" > criu
case $CRTOOLS_SCRIPT_ACTION in
pre-dump)
  [ -z "$CRTOOLS_INIT_PID" ] || tree "$CRTOOLS_INIT_PID" | sed -n 's/ .* T$//p' > stopped
  if [ -f fence.nft ]; then ${FENCE_UP} || exit; fi
  now
  echo "$now" > began
  exit 0 ;;
pre-restore)
  now
  echo "$now" > began
  exit 0 ;;
esac
exec 4<> doorbell
bytes=0
if [ "$CRTOOLS_SCRIPT_ACTION" = post-dump ]; then
  # Who comes to settle it must know that its tasks are to go on.
  : > dumped || exit 1
  if [ -n "$CRTOOLS_INIT_PID" ]; then
    tree "$CRTOOLS_INIT_PID" > tasks.new && mv tasks.new tasks || exit 1
    if [ -s stopped ]; then
      while read -r pid _; do grep -qx "$pid" stopped || kill -STOP "$pid"; done < tasks
    else
      while read -r pid _; do kill -STOP "$pid"; done < tasks
    fi
  fi
  for size in $(stat -c %s "$CRTOOLS_IMAGE_DIR"/*.img); do bytes=$((bytes + size)); done
elif [ -n "$CRTOOLS_INIT_PID" ]; then
  tree "$CRTOOLS_INIT_PID" > restored.new && mv restored.new restored
  [ ! -f guarded ] || sh ./guarded || exit 1
fi
now
began=
{ read -r began < began; } 2> /dev/null
held="$bytes $((now - \${began:-now}))"
if [ -f serves ] && [ ! -f decision ]; then
  put serving "$held" || exit 1
  [ ! -f on-held ] || setsid sh ./on-held > on-held.output 2>&1 4>&- &
  exit 0
fi
put held "$held" || exit 1
printf x 1<> events
[ ! -f cut ] || printf x 1<> sending
[ ! -f on-held ] || setsid sh ./on-held > on-held.output 2>&1 4>&- &
${UNTIL_DECIDED}
# What ran beside the hold is needed no more: who commits has waited for what it needs of that.
if { read -r pid began < on-held.pid; } 2> /dev/null; then
  look "$pid"
  [ "$start" != "$began" ] || kill -s TERM -- "-$pid" 2> /dev/null
fi
# Whether criu lives. Who followed the link would ask the file system of the images, which may be a server that is gone.
if [ ! -L "$CRTOOLS_IMAGE_DIR" ] && [ ! -e "$CRTOOLS_IMAGE_DIR" ]; then
  [ ! -f settle ] || sh ./settle killed
  exit 1
fi
read -r decision _ < decision
[ "$decision" != commit ] || exit 0
[ ! -f on-abort ] || sh ./on-abort
if [ "$CRTOOLS_SCRIPT_ACTION" = post-dump ] && [ -f tasks ]; then
  while read -r pid _; do grep -qx "$pid" stopped || kill -CONT "$pid"; done < tasks
fi
: > aborted
exit 1
`;

/**
 * Prepares a hold's directory. Arguments: the directory, then the name and the text of each file in it.
 */
export const PREPARE_SCRIPT: string = `
${BOOT_FUNCTION}
set -e
umask 077
mkdir -p "$1"
cd "$1"
shift
mkfifo events doorbell start sending
boot > boot
for file in held serving started exit settled; do printf '%-15s\\n' nothing > "$file.new"; done
for word in commit abort; do echo "$word" > "decision.$word"; done
for why in lease criu; do echo "abort $why" > "decision.$why"; done
for word in expired waived; do echo "$word" > "lease.$word"; done
while [ $# -gt 0 ]; do
  printf '%s\\n' "$2" > "$1"
  shift 2
done
chmod 700 hold
# What a host that loses its power has to find again.
find . -type f -exec sync {} +
sync . ..
`;

/**
 * Waits to be told, for a day at most, so that nothing but criu itself has to be started in the pause; then runs criu,
 * leaves its exit code in the hold's directory (`absent` when a decision came first) and rings `events`. A criu that fails
 * is an abort, unless the lease was waived: then the decision is still to come, and who brings it settles the rest.
 *
 * A dump that sends the memory away, which the file \`cut\` can end, has its lease from the start: it may take minutes in which the
 * workload is frozen. It is renewed at the FIFO \`sending\`, until criu holds.
 *
 * A dump that \`serves\` its memory holds from when it says that it listens until somebody has fetched all. It is decided here what
 * becomes of it; criu would take the end of any connection for that of its work.
 * Arguments: the hold's directory, then criu and its arguments.
 */
export const SUPERVISE_SCRIPT: string = `
${PUT_FUNCTION}
${SCOPE_FUNCTIONS}
${BOOT_FUNCTION}
cd "$1" || exit 1
shift
: > supervised
exec 3<> events 4<> start
while [ ! -f started ] && [ ! -f decision ]; do
  timeout 86400 dd bs=1 count=1 of=/dev/null 2> /dev/null <&4 || break
done
code=absent
watch() {
  read -r lease < lease
  while timeout "$lease" dd bs=1 count=1 of=/dev/null 2> /dev/null <&5; do
    [ ! -f held ] && [ ! -f over ] || return
  done
  [ ! -f held ] && [ ! -f over ] || return
  ln decision.lease decision 2> /dev/null
  sh ./cut
}
serve() {
  exec 4<> doorbell
  dd bs=1 count=1 of=/dev/null 2> /dev/null <&5
  [ ! -f over ] || exit
  mv serving held
  printf x >&3
  ${UNTIL_DECIDED}
  ${END_UNLESS_COMMITTED}
}
if [ -f started ] && [ ! -f decision ]; then
  if [ -f cut ] || [ -f serves ]; then exec 5<> sending; fi
  [ ! -f cut ] || watch 3>&- 4>&- &
  if [ -f serves ]; then
    (serve) &
    (cd / && exec "$@") 3>&- 4>&-
    code=$?
    # It may be that somebody made a connection and closed it: what criu believes says nothing.
    [ "$code" -ne 0 ] || code=255
  else
    (cd / && exec "$@") 3>&- 4>&- 5>&-
    code=$?
  fi
  if [ -f cut ] || [ -f serves ]; then
    : > over
    printf x >&5
  fi
  # Who comes after a power cut must know that the workload has run on since its images were made.
  [ ! -f aborted ] || sync aborted .
  if [ "$code" -ne 0 ]; then
    how=failed
    [ "$code" -le 128 ] || [ "$code" -ge 255 ] || how=killed
    if ln lease.expired lease-end 2> /dev/null; then ln decision.criu decision 2> /dev/null; fi
    [ ! -f settle ] || [ ! -f decision ] || sh ./settle "$how" > settle.output 2>&1 3>&- 4>&-
    printf x 1<> doorbell
  fi
fi
put exit "$code"
printf x >&3
if [ "$code" = 0 ]; then
  # Memory that is fetched after the release comes by processes of the scope.
  [ ! -e guard.lock ] || flock -s guard.lock true
  limit_scope
fi
`;

/**
 * Waits for criu's hold or its end, at most ten seconds, or two when nobody watches over it any more, and prints `held BYTES
 * PID:START…` (the tasks that a dump has frozen, with field 22 of /proc/PID/stat), `exit CODE`, `absent` (criu was never
 * started, or the directory is gone) or `pending`. Arguments: the hold's directory; `held` to wait for either, `exit`
 * to wait for the end only.
 */
export const AWAIT_SCRIPT = `
cd "$1" 2> /dev/null || { echo absent; exit 0; }
[ -e process/lock ] || { echo absent; exit 0; }
rounds=0
while [ "$rounds" -lt 10 ]; do
  if [ -f exit ]; then
    read -r code < exit
    [ "$code" = absent ] || code="exit $code"
    echo "$code"
    exit 0
  fi
  if [ "$2" = held ] && [ -f held ]; then
    read -r state < held
    state="held $state"
    [ -f restored ] || [ ! -f tasks ] || while read -r pid start _; do state="$state $pid:$start"; done < tasks
    echo "$state"
    exit 0
  fi
  [ "$rounds" -eq 0 ] || ! flock -n -s process/lock true || rounds=10
  timeout 1 dd bs=1 count=1 of=/dev/null 2> /dev/null <> events
  rounds=$((rounds + 1))
done
echo pending
`;

/**
 * Runs a script that must succeed, then tells the supervisor to start criu, notes the seconds since boot at which it
 * did, and waits as {@link AWAIT_SCRIPT} does. Arguments: the same, then the script and its arguments.
 */
export const START_SCRIPT: string = `
${PUT_FUNCTION}
dir=$1 goal=$2 before=$3
shift 3
sh -c "$before" criu-flow "$@" || exit $?
: > "$dir/placed"
set -- "$dir" "$goal"
read -r uptime _ < /proc/uptime
put "$1/started" "$uptime" || exit 1
printf x 1<> "$1/start"
${AWAIT_SCRIPT}`;

/**
 * Puts directories on the disk, in which files were renamed, then ends the lease of a hold, so that it waits for its decision for ever,
 * and prints what counts: `waived`, `expired`, or `none` when there is no such hold. Arguments: the hold's directory, the others.
 */
export const WAIVE_SCRIPT = `
cd "$1" 2> /dev/null || { echo none; exit 0; }
shift
sync -- . "$@" || exit 1
ln lease.waived lease-end 2> /dev/null
printf x 1<> doorbell
cat lease-end
`;

/**
 * Decides a hold, rings the bells, prints the decision that counts, the first one, and waits as {@link AWAIT_SCRIPT}
 * does. A commit is on the disk before it is told: a source that loses its power then must not bring its copy back.
 * Arguments: the hold's directory, `exit`, then `commit` or `abort`. Prints `none` when there is no such hold (any
 * more).
 */
export const DECIDE_SCRIPT: string = `
${BOOT_FUNCTION}
if [ -d "$1" ]; then
  [ -f "$1/decision" ] || ln "$1/decision.$3" "$1/decision" || [ -f "$1/decision" ] || exit 1
  printf x 1<> "$1/doorbell"
  printf x 1<> "$1/start"
  [ "$3" != commit ] || sync "$1/decision" "$1"
  # A dump that sends the memory away goes on doing so until its connection is cut.
  if [ "$3" = abort ] && [ -f "$1/cut" ] && [ ! -f "$1/held" ] && [ ! -f "$1/exit" ]; then
    read -r decision _ < "$1/decision"
    [ "$decision" = commit ] || sh "$1/cut"
  fi
  if [ "$3" = abort ] && [ -d "$1" ]; then (
    cd "$1" || exit
    if [ -f ends-at-abort ] && [ ! -f held ]; then :
    elif [ -f serves ] && { [ -f serving ] || [ -f held ]; }; then :
    else exit
    fi
    ${END_UNLESS_COMMITTED}
  ) fi
  cat "$1/decision"
else
  echo none
fi
${AWAIT_SCRIPT}`;

/**
 * Carries a decision out that criu did not, unless that was done before. Waits for a criu that is still at it, ten seconds at
 * most. Arguments: the hold's directory, `killed` or `failed`.
 */
export const SETTLE_SCRIPT: string = `
${BOOT_FUNCTION}
cd "$1" 2> /dev/null && [ -f settle ] || exit 0
criu=
# After a boot of the host who has its pid is somebody else.
[ ! -f criu ] || [ "$(cat boot)" != "$(boot)" ] || read -r criu < criu
rounds=0
while { [ -L "$criu" ] || [ -e "$criu" ]; } && [ "$rounds" -lt 100 ] && [ "\${criu#/proc/}" != "$criu" ]; do
  sleep 0.1
  rounds=$((rounds + 1))
done
[ "$rounds" -lt 100 ] || { echo "criu is still at work: $criu" >&2; exit 1; }
sh ./settle "$2"
`;

/**
 * Ends what a dump has frozen that served its memory, which was all fetched, and prints \`ended\`: criu has ended when nobody is connected
 * any more, and gets ten seconds for that. Argument: the hold's directory.
 */
export const END_SERVED_SCRIPT: string = `
cd "$1" 2> /dev/null && [ -f serves ] || { echo ended; exit 0; }
read -r decision _ < decision
[ "$decision" = commit ] || { echo "decided: $decision"; exit 0; }
rounds=0
while [ ! -f exit ] && [ -e process/lock ] && [ "$rounds" -lt 100 ] && ! flock -n -s process/lock true; do
  timeout 0.1 dd bs=1 count=1 of=/dev/null 2> /dev/null <> events
  rounds=$((rounds + 1))
done
: > fetched
sh ./settle killed
`;

/**
 * Waits until a dump that serves its memory does so no more, and prints `ended`; or at once `gone`, when the host was started again since,
 * or `cleaned`. Argument: the hold's directory.
 */
export const UNTIL_SERVED_SCRIPT: string = `
${BOOT_FUNCTION}
cd "$1" 2> /dev/null && [ -s boot ] || { echo cleaned; exit 0; }
[ "$(cat boot)" = "$(boot)" ] || { echo gone; exit 0; }
[ ! -e process/lock ] || flock -s process/lock true
echo ended
`;

/** Turns the decision of a hold into one to commit, whatever it was, and puts that on the disk. In its directory. */
const COMMIT_AFTER_ALL = `
decision=
{ read -r decision _ < decision; } 2> /dev/null
[ "$decision" = commit ] || { rm -f decision.new && ln decision.commit decision.new && mv -f decision.new decision; } || exit 1
sync decision . || exit 1
`;

/**
 * Lets the workload run from its images on the destination, as may who knows that no other copy can run: be it that it was rebuilt there
 * and given up, or that criu was never started. Arguments: the hold's directory; what else runs before criu, an idempotent script, and its
 * arguments. Exits with more than 1 when that refused: as it did, or with 6 for its 1.
 */
export const REVIVE_SCRIPT: string = `
cd "$1" || exit 1
before=$2
shift 2
(
  flock 9
  decision= settled=
  { read -r decision _ < decision; read -r settled _ < settled; } 2> /dev/null
  [ "$decision" != commit ] || [ "$settled" != restored ] || exit 0
  ${COMMIT_AFTER_ALL}
  rm -f settled
) 9> settle.lock || exit 1
[ ! -f settled ] || exit 0
# A host that was started again has none, and would answer for an address whose sockets are still to come.
[ ! -f fence.nft ] || ${FENCE_UP} || exit 6
sh -c "$before" criu-flow "$@" || { code=$?; [ "$code" -gt 1 ] || code=6; exit "$code"; }
: > placed
sync . || exit 6
sh ./settle again
`;

/**
 * Turns the decision of a source that cannot bring its copy back into one to commit, so that nobody restores it there any more. Prints
 * what became of its workload when that runs on there. Argument: the hold's directory.
 */
export const RELINQUISH_SCRIPT: string = `
cd "$1" 2> /dev/null || exit 0
(
  flock 9
  settled=
  { read -r settled _ < settled; } 2> /dev/null
  [ ! -f aborted ] || settled=resumed
  case $settled in resumed | healed | restored) echo "$settled"; exit 0 ;; esac
  ${COMMIT_AFTER_ALL}
) 9> settle.lock
`;

/**
 * Prints `there`, the start time of a task that was restored there (field 22 of /proc/PID/stat) and the host's boot; or `gone`: after
 * a boot of the host its pid is another's. `cleaned` when the hold is gone: whoever removed it had seen the task alive.
 * Arguments: the hold's directory, the pid.
 * @see proc_pid_stat(5)
 */
export const RESTORED_STATE_SCRIPT: string = `
${BOOT_FUNCTION}
[ -d "$1" ] || { echo cleaned; exit 0; }
now=$(boot)
if [ -f "$1/boot" ] && [ "$(cat "$1/boot")" != "$now" ]; then echo gone; exit 0; fi
[ -r "/proc/$2/stat" ] || { echo gone; exit 0; }
restored=$1/restored pid=$2
set -- $(sed 's/^.*) //' "/proc/$2/stat")
case $1 in [ZX] | '') echo gone; exit 0 ;; esac
# Who has the pid may be somebody else by now. What was restored once more has no such list.
[ ! -f "$restored" ] || grep -q "^$pid \${20} " "$restored" || { echo gone; exit 0; }
echo "there \${20} $now"
`;
