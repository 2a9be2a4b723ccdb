/**
 * The fixed POSIX sh scripts behind remote-process.ts. Values arrive as positional parameters only. They need
 * coreutils and, of util-linux, setsid(1) and flock(1).
 *
 * Files in a process's directory:
 *     lock     held with flock(2) by the supervisor as long as it lives: waiting for it is waiting for the process
 *     process  "PID START BOOT": the process id, field 22 of /proc/PID/stat, the machine's boot id
 *     status   "CODE GROUP": the exit code, and `left` when others of its group outlived it, else `gone`
 *     stdout, stderr
 */

/** Exit code of {@link startScript}: something was started in that directory before. */
export const directoryInUse = 64;

/**
 * `group_lives GROUP`: whether a member of the process group still runs. Zombies do not count: kill(2) reaches them too,
 * and a container's process 1 can take seconds to reap the orphans. Builtins only: it is called in a loop.
 */
export const groupLivesFunction: string = `
group_lives() {
  for stat in /proc/[0-9]*/stat; do
    read -r line <"$stat" || continue
    set -- "$1" \${line##*) }
    case $4:$2 in "$1":[ZX]) ;; "$1":*) return 0 ;; esac
  done
  return 1
} 2>/dev/null
`.trim();

/**
 * Becomes the process, as the leader of a new session. Says who it is before it is replaced, so that it is never
 * running unknown. `exec` for a directory's file descriptors: 3 is the line to the starter, 9 the supervisor's lock.
 * $1 the directory, $2 the umask, then KEY=VALUE …, `--`, argv.
 */
export const becomeScript: string = `
directory=$1
mask=$2
shift 2
read -r stat </proc/$$/stat
read -r boot </proc/sys/kernel/random/boot_id
identify() { shift 19; printf '%s %s %s\\n' "$$" "$1" "$boot"; }
identify \${stat##*) } >"$directory/process" || exit 70
printf '%s\\n' "$$" >&3
while [ "$1" != -- ]; do export "$1"; shift; done
shift
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- >"$directory/stdout" 2>"$directory/stderr"
umask "$mask"
exec "$@"
`.trim();

/**
 * Waits for the process and writes down how it ended. It has a session of its own, so that ending the process's group
 * does not end the one who reports it. The lock, descriptor 9, is inherited from the starter.
 * $1 the directory, $2 becomeScript, then becomeScript's further arguments.
 */
export const superviseScript: string = `
directory=$1
become=$2
shift 2
(exec setsid sh -c "$become" criu-flow "$directory" "$@")
code=$?
group=gone
read -r pid start boot <"$directory/process" && kill -s 0 -- "-$pid" && group=left
printf '%s %s\\n' "$code" "$group" >"$directory/status"
`.trim();

/**
 * Starts the supervisor and prints the process id.
 * - The lock is taken under another name, so that whoever sees it sees it held.
 * - Two setsid: the first leads a session, so the second has to fork, and its parent ends at once. With \`&\` instead
 *   the process would start with SIGINT and SIGQUIT ignored (POSIX, asynchronous lists).
 * $1 the directory, $2 superviseScript, $3 becomeScript, then KEY=VALUE …, `--`, argv.
 */
export const startScript: string = `
mask=$(umask)
umask 077
mkdir -p -- "\${1%/*}/" || exit
[ -e "$1/lock" ] && exit 64
[ -d "$1" ] || mkdir -- "$1" || exit
chmod 0700 -- "$1" || exit
exec 9>"$1/lock.$$"
flock 9 || exit
ln -- "$1/lock.$$" "$1/lock" 2>/dev/null || { rm -f -- "$1/lock.$$"; exit 64; }
rm -f -- "$1/lock.$$"
cd / || exit
directory=$1
supervise=$2
become=$3
shift 3
setsid setsid sh -c "$supervise" criu-flow "$directory" "$become" "$mask" "$@" 3>&1 >/dev/null </dev/null 2>&1 | {
  read -r pid && printf '%s\\n' "$pid"
}
`.trim();

/**
 * Functions for the scripts below. A process is the one we started only when its start time and the machine's boot are
 * the recorded ones: process ids are used again.
 */
const functions = `
start_of() { shift 19; now_start=$1; }
identify() {
  pid= start= boot= now_boot= now_start= stat=
  read -r pid start boot <"$1/process" || return
  read -r now_boot </proc/sys/kernel/random/boot_id
  [ "$boot" = "$now_boot" ] && read -r stat <"/proc/$pid/stat" && start_of \${stat##*) }
} 2>/dev/null
is_ours() { [ -n "$start" ] && [ "$start" = "$now_start" ]; }
state() {
  [ -e "$1/lock" ] || { echo absent; return; }
  identify "$1"
  flock -n -s "$1/lock" true || { echo "running $pid"; return; }
  code=
  [ ! -e "$1/status" ] || read -r code group <"$1/status"
  if [ -n "$code" ]; then echo "exited $code"
  elif is_ours; then echo "lost $pid"
  else echo lost
  fi
}
`.trim();

/** Prints the state: `absent`, `running PID`, `exited CODE`, `lost` or `lost PID`. $1 the directory. */
export const stateScript: string = `
${functions}
state "$1"
`.trim();

/** Sleeps in flock(2) until the supervisor is gone, then prints the state. $1 the directory. */
export const waitScript: string = `
${functions}
[ ! -e "$1/lock" ] || flock -s "$1/lock" true
state "$1"
`.trim();

/**
 * Ends the process's group and prints the state. A group without its leader is ended only when the supervisor saw it
 * outlive the leader: until the last member is gone the kernel does not give its id to anybody else.
 * $1 the directory, $2 tenths of a second between SIGTERM and SIGKILL.
 */
export const killScript: string = `
${groupLivesFunction}
${functions}
identify "$1"
group=
[ ! -e "$1/status" ] || read -r code group <"$1/status"
if is_ours || { [ -n "$pid" ] && [ "$boot" = "$now_boot" ] && [ -z "$now_start" ] && [ "$group" = left ]; }; then
  left=$2
  kill -s TERM -- "-$pid" 2>/dev/null || left=0
  while [ "$left" -gt 0 ] && group_lives "$pid"; do
    sleep 0.1
    left=$((left - 1))
  done
  kill -s KILL -- "-$pid" 2>/dev/null
  flock -s -w 5 "$1/lock" true
fi
state "$1"
`.trim();
