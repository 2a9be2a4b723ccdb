import { BOOT_FUNCTION } from '../host/boot-function.ts';
import { PUT_FUNCTION } from './hold-script.ts';
import { REMOVE_LOCK_FUNCTION } from './lock-table.ts';
import { SCOPE_FUNCTIONS } from './scope-script.ts';
import { FILES_SYNCED_MARK } from './whole-images.ts';

/**
 * What a hold's directory has as `settle`: it carries a decision out where criu could not do so itself, because criu or the
 * hold script was killed. The supervisor runs it when criu has failed, the hold script when it finds criu gone, and the
 * controller when it finds both gone; the first one does the work, under flock(2), and leaves a word of the result in
 * `settled`. Nothing is done without a decision.
 *
 * Argument: `again` from a person who wants back, as it was in its images, what moved and has ended since; `killed` when
 * criu took nothing back; `failed` when it ended by itself, which puts right what it had done to
 * the tasks and their sockets. Files beside it, besides those of the hold script:
 *
 *     boot     the host's boot in which it was made
 *     tasks    a line for each task: its pid, its start time (field 22 of /proc/PID/stat)
 *     placed   of a restore: what it needs was put in its place, its files and the address; without that a person restores nothing
 *     again    criu's command that restores from the images, a word a line; none when the memory is on another host
 *     before-again  what is done before that: it puts the service address back, which a host that was started again does not have
 *     serves, fetched  of a dump whose memory is fetched from it after the commit; that all of it was
 *     heal     of a dump with connections: criu's command that dumps once more and leaves the tasks running
 *
 * Prints the result; on failure why, with another exit code than 0: it may then be run again, as soon as a person has run the command
 * that may follow in a line of its own, `run: …`, and by which it is done all the same.
 */
export const SETTLE_PRELUDE: string = `
${BOOT_FUNCTION}
${PUT_FUNCTION}
cd "\${0%/*}" || exit 1
exec 9> settle.lock
flock 9
if [ -f settled ] && [ "$1" != again ]; then
  read -r word < settled
  echo "$word"
  exit 0
fi
read -r decision _ < decision || exit 1
# After a boot of the host none of the tasks can be alive: who has their pids now is somebody else.
[ ! -f boot ] || [ "$(cat boot)" = "$(boot)" ] || : > tasks.none
look() {
  stat= state= session= start=
  [ ! -f tasks.none ] || return 0
  { while read -r line; do stat="$stat $line"; done < "/proc/$1/stat"; } 2> /dev/null
  set -- \${stat##*) }
  state=$1 session=$4 start=\${20}
}
note_start() {
  read -r uptime _ < /proc/uptime
  put started "$uptime"
}
fail() { echo "$1" >&2; [ -z "$2" ] || echo "run: $2" >&2; exit 1; }
end_tasks() {
  rounds=0
  while pids=$(alive) && [ -n "$pids" ]; do
    [ "$rounds" -lt 200 ] || fail "these do not end: $pids"
    kill -KILL $pids 2> /dev/null
    sleep 0.05
    rounds=$((rounds + 1))
  done
}
${SCOPE_FUNCTIONS}
become() {
  file=$1
  set --
  while read -r word; do set -- "$@" "$word"; done < "$file"
  if [ "$file" = again ] && [ -s scope ]; then
    rm -f entered
    (enter_scope sh -c ': > entered; cd / && exec "$@"' criu-flow "$@") > "$file.output" 2>&1 < /dev/null 9>&-
    code=$?
    # To have lost its limits is better than to be lost.
    [ ! -f entered ] || return "$code"
  fi
  (cd / && exec "$@") > "$file.output" 2>&1 < /dev/null 9>&-
}
# Argument: what the run's directory has when the files are as the images know them.
restore_again() {
  all_the_same="touch \${PWD%/*}/images.unchecked"
  # The images may be in another directory, by a link.
  digests=\${PWD%/*}/images.sha256
  [ -d ../images/. ] || fail "$(readlink -f ../images) is not there: is the file system of the images mounted?"
  if [ -f ../images.unchecked ]; then
    :
  elif [ -f tasks.none ] && [ -n "$1" ] && [ ! -f "../$1" ]; then
    fail 'the host was started again before the images and files were on its disk, and parts of them may be lost' "$all_the_same"
  elif [ -f ../images.sha256 ]; then
    (cd ../images && sha256sum --check --quiet "$digests" >&2) || fail 'the images have changed' "$all_the_same"
  elif [ -f tasks.none ]; then
    fail 'the host was started again before the images were on its disk, and parts of them may be lost' "$all_the_same"
  fi
  [ ! -f before-again ] || sh ./before-again
  # Who looks for what is restored goes by that; the hold's own may be of an earlier boot.
  note_start
  become again || fail "criu restore ended with exit code $?, see $PWD/again.log and again.output"
  boot > boot
  rm -f tasks.none restored
}
settled() {
  put settled "$1" || exit 1
  # Who comes after a power cut must know that what was frozen has run on.
  sync settled . 2> /dev/null
  [ "$1" != restored ] || limit_scope
  echo "$1"
  exit 0
}
`;

/** Whether criu lives that began in this boot of the host. In the hold's directory. */
const CRIU_LIVES_FUNCTION = `
criu_lives() {
  [ "$(cat boot)" = "$(boot)" ] && { read -r criu < criu; } 2> /dev/null || return
  IFS=/ read -r _ _ criu_pid _ < criu
  [ -L "$criu" ] || [ -e "$criu" ]
}
`;

/** Ends it, and waits until it has. */
const END_CRIU = `
  rounds=0
  while criu_lives; do
    kill -KILL "$criu_pid" 2> /dev/null
    [ "$rounds" -lt 100 ] || fail "criu does not end: $criu_pid"
    rounds=$((rounds + 1))
    sleep 0.05
  done
`;

/**
 * On the source. After a commit its tasks are ended; those of a dump that `serves` its memory only when that was `fetched`: until then they
 * stay stopped, and a person can let them run on, with `again`, when no other copy does, of which criu knows as long as it serves the memory:
 * `again gone`. After an abort they run on: a task that criu held has a SIGSTOP
 * pending since the hold, so that the death of criu does not let it run; with connections a second dump takes their
 * sockets out of repair mode, as only criu can; tasks that are gone are restored from the images in place. Where there are no whole
 * images the service address stays away: the destination may have what there is, and this host would answer its clients with resets.
 */
export const SETTLE_DUMP_SCRIPT: string = `#!/bin/sh
${SETTLE_PRELUDE}
${REMOVE_LOCK_FUNCTION}
${CRIU_LIVES_FUNCTION}
may_be_whole() {
  [ -f held ] || [ -f dumped ] || [ -f ../images.sha256 ] || return
  # Of an empty one a power cut has lost the rest. A directory that is not there is another matter.
  [ ! -d ../images/. ] || [ -s ../images/inventory.img ]
}
alive() {
  while read -r pid began _; do
    look "$pid"
    case $state:$start in [ZX]:* | :*) ;; *":$began") printf '%s ' "$pid" ;; esac
  done < tasks
}
address_back() { [ -f aborted ] || [ ! -f on-abort ] || sh ./on-abort; }
read -r root _ < tasks
# criu does its own part only for a dump that fails before it serves.
[ ! -f serves ] || { [ ! -f serving ] && [ ! -f held ]; } || [ "$1" != failed ] || set -- killed
if [ "$decision" = commit ] && [ -f serves ] && [ ! -f fetched ]; then
  # They have the only whole memory, and stay stopped.
  [ "$1" = again ] || { echo stopped; exit 0; }
  [ -n "$(alive)" ] || fail 'the workload has ended here'
  [ "$2" = gone ] || ! criu_lives ||
    fail 'criu serves the memory of another copy, which may run: make sure that it has ended' "sh $PWD/settle again gone"
  ${END_CRIU}
  rm -f settled decision.new && ln decision.abort decision.new && mv -f decision.new decision && sync decision . || exit 1
  set -- killed
elif [ "$decision" = commit ]; then
  [ "$1" != again ] || [ ! -f serves ] || fail 'its memory was fetched, and it is to end here'
  end_tasks
  settled ended
fi
# It may be the second time that a person says so.
[ "$1" != again ] || [ ! -f serves ] || set -- killed
# A host that was started again has no fence, and would answer for sockets that are still to come.
[ "$1" != killed ] || [ ! -f fence.nft ] || nft -f fence.nft
result=resumed
if [ "$1" = killed ]; then
  case " $(alive)" in
  *" $root "*)
    address_back
    if [ -f heal ]; then
      rm -rf heal-images
      mkdir heal-images
      become heal || fail "a second criu dump, which takes sockets out of repair mode, ended with exit code $?, see $PWD/heal.log"
      rm -rf heal-images
      result=healed
    fi
    ;;
  *)
    # A criu that dies while it lets the tasks go leaves sockets in repair mode, and the workload ends within moments.
    if [ -f aborted ] && { [ -f tasks.none ] || [ "$(($(date +%s) - $(stat -c %Y aborted)))" -gt 10 ]; }; then
      fail 'the workload ran on after its images were made, and has ended since' "rm $PWD/aborted"
    fi
    end_tasks
    # Before it came to hold there is nothing whole to bring back, nor where the memory was streamed elsewhere.
    result=gone
    if [ -f again ] && may_be_whole; then
      address_back
      restore_again ${FILES_SYNCED_MARK}
      result=restored
    fi
    ;;
  esac
  remove_lock dump.log "$root"
else
  address_back
fi
[ ! -f held ] && [ ! -f serving ] && [ ! -f dumped ] || for pid in $(alive); do grep -qx "$pid" stopped 2> /dev/null || kill -CONT "$pid"; done
[ ! -f fence.table ] || nft delete table inet "$(cat fence.table)" 2> /dev/null
settled "$result"
`;

/**
 * On the destination. What was restored, which waits in criu's own code and has not run, is ended: only what the hold has
 * written down in \`restored\`; before it came to that, processes of criu's program or the task's own that began after criu was told to
 * start, which found their pids free. After a commit the workload is restored once more,
 * without a hold, unless criu was about to let it go and it runs, behind the fence and with its address, which `values` names: its images are complete, and the source's
 * copy is gone. The start time counts from boot as \`started\`
 * does, in hundredths of a second: clock ticks (USER_HZ) are that on Linux.
 * @see proc_pid_stat(5), starttime; proc_uptime(5)
 */
export const SETTLE_RESTORE_SCRIPT: string = `#!/bin/sh
${SETTLE_PRELUDE}
[ "$1" != again ] || [ "$decision" = commit ] || fail 'it was given up'
if [ ! -f placed ]; then
  [ "$1" != again ] || fail 'its files are not in their places: resume the run, which puts them there'
  settled ended
fi
if [ ! -f started ]; then
  [ "$1" = again ] || settled ended
  note_start
fi
read -r started < started
started=\${started%.*}\${started#*.}
alive() {
  list=tasks
  [ ! -f restored ] || list=restored
  while read -r pid began exe; do
    look "$pid"
    case $state in [ZX] | '') continue ;; esac
    if [ $list = restored ]; then
      [ "$start" = "$began" ] || continue
    else
      [ "$start" -ge "$started" ] || continue
      now=$(readlink "/proc/$pid/exe")
      [ "\${now##*/}" = criu ] || [ "$now" = "$exe" ] || [ -z "$exe" ] || continue
    fi
    printf '%s ' "$pid"
  done < $list
}
[ "$1" != again ] || [ -f again ] || fail 'its memory is not here'
if [ "$1" = again ]; then
  [ -z "$(alive)" ] || fail "it runs: $(alive)"
elif [ -f resuming ] && [ ! -f tasks.none ]; then
  [ ! -f on-resume ] || sh ./on-resume
  settled restored
fi
end_tasks
# What fetches the memory is of no use without them.
[ ! -f guard ] || sh ./end-guard
[ "$decision" = commit ] || settled ended
# Of a memory that was to be fetched there are no images.
[ -f again ] || settled gone
# A host that was started again has neither.
[ ! -f fence.nft ] || nft -f fence.nft
if [ -f values ]; then
  { read -r _; read -r cidr; read -r device; } < values
  ip address replace "$cidr" dev "$device"
fi
restore_again ${FILES_SYNCED_MARK}
[ ! -f on-resume ] || sh ./on-resume
settled restored
`;
