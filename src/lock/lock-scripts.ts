import { BOOT_FUNCTION } from '../host/boot-function.ts';

/**
 * What a host knows of the runs on it, in one directory:
 *
 *     RUN       the epoch, the host's boot, then one line of JSON: who drives the run
 *     pid-N     a symbolic link to RUN: that process id is the run's
 *
 * Every change is made under flock(2) of the directory itself, so that two runs cannot both find a pid free.
 */

/**
 * Takes a run's lock, or takes it over with a higher epoch; a power cut afterwards leaves it there. A lock from before the host's last boot is void: nothing
 * that it stood for can be alive, so it is removed. Prints the host's boot. Arguments: the directory, the run, the epoch, the line of JSON, the pids. Exit 3: a
 * pid is another run's, which is printed with its file. Exit 4: the run has that epoch or a higher one, which is
 * printed with its file.
 */
export const LOCK_SCRIPT: string = `
${BOOT_FUNCTION}
umask 077
mkdir -p "$1" && cd "$1" || exit 1
exec 9< .
flock 9
run=$2 epoch=$3 holder=$4
shift 4
boot=$(boot)
if [ -f "$run" ]; then
  read -r now < "$run"
  [ "$now" -lt "$epoch" ] || { echo "$run"; cat "$run"; exit 4; }
fi
for other in *; do
  [ -f "$other" ] && [ ! -L "$other" ] || continue
  then=
  { read -r _; read -r then; } < "$other"
  [ "$then" = "$boot" ] || rm -f "$other"
done
for pid; do
  other=$(readlink "pid-$pid") || continue
  [ "$other" != "$run" ] && [ -f "$other" ] || continue
  echo "$other"
  cat "$other"
  exit 3
done
for link in pid-*; do [ ! -L "$link" ] || [ -f "$link" ] || rm -f "$link"; done
printf '%s\\n' "$epoch" "$boot" "$holder" > "$run.new" && sync "$run.new" && mv "$run.new" "$run" || { rm -f "$run.new"; exit 1; }
for pid; do ln -sfn "$run" "pid-$pid" || exit 1; done
sync . || exit 1
echo "$boot"
`;

/**
 * Gives a run's lock up; idempotent. Arguments: the directory, the run, the epoch that must still be the run's, or an
 * empty string for any.
 */
export const UNLOCK_SCRIPT = `
cd "$1" 2> /dev/null || exit 0
exec 9< .
flock 9
if [ -n "$3" ] && [ -f "$2" ]; then
  read -r now < "$2"
  [ "$now" = "$3" ] || exit 0
fi
for link in pid-*; do [ "$(readlink "$link")" != "$2" ] || rm -f "$link"; done
rm -f "$2" "$2.new"
rmdir "$1" "\${1%/*}" 2> /dev/null
:
`;

/** As {@link UNLOCK_SCRIPT}, after a word to the system log. A fourth argument: the reason. */
export const BREAK_SCRIPT: string = `
logger -t criu-flow -- "lock of run $2 taken away by hand: $4" 2> /dev/null
${UNLOCK_SCRIPT}`;

/** Prints every lock: the run, its pids, its file; each ended by an empty line. Argument: the directory. */
export const LIST_SCRIPT: string = `
${BOOT_FUNCTION}
cd "$1" 2> /dev/null || exit 0
boot=$(boot)
for run in *; do
  case $run in pid-* | *.new | '*') continue ;; esac
  echo "$run"
  for link in pid-*; do [ "$(readlink "$link")" != "$run" ] || printf '%s ' "\${link#pid-}"; done
  echo
  { read -r epoch; read -r then; read -r holder; } < "$run"
  [ "$then" = "$boot" ] && boots=same || boots=earlier
  printf '%s\\n' "$epoch" "$boots" "$holder"
done
`;

/** Prints what tells this boot from others. */
export const BOOT_SCRIPT: string = `${BOOT_FUNCTION}\nboot`;

/** Exit code of {@link GUARD_SCRIPT} for an epoch that is over. */
export const SUPERSEDED = 75;

/** What it says then, to tell it from a command that ends with the same code. */
export const SUPERSEDED_WORD = 'criu-flow: superseded';

/**
 * Becomes a command, unless the run's lock is gone or has another epoch by now. Arguments: the lock's file, the epoch,
 * the command. Builtins only: this is in the pause.
 */
export const GUARD_SCRIPT: string = `
now=
{ read -r now < "$1"; } 2> /dev/null
[ "$now" = "$2" ] || { echo '${SUPERSEDED_WORD}' >&2; exit ${SUPERSEDED}; }
shift 2
exec "$@"
`;
