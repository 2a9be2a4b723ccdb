import { BOOT_FUNCTION } from '../host/boot-function.ts';

/** `machine` prints what tells one machine from another, and keeps over its boots. */
const MACHINE_FUNCTION = `
machine() { echo "$(cat /etc/machine-id 2> /dev/null) $(uname -n)"; }
`;

/** Where a host keeps its checkpoints: a directory for each series, with one for each checkpoint, named by its number. */
export const CHECKPOINTS_DIRECTORY = '/var/lib/criu-flow/checkpoints';

/**
 * Makes a checkpoint of what a run has dumped, the last one of its series, and removes old ones. It is there when its directory has
 * its number for a name: one that was cut off is `new`, which the next one removes. All of it is on the disk by then (sync(1) of
 * the file system: outside of the pause). Images are linked, not copied. Arguments: the directory of the series; the run's; how many
 * stay; how many seconds those before may be old, or nothing; the root process, as `PID START`; the bytes of the record, which
 * is on stdin: one whose sender was lost on the way is none. Prints its number, how many there are now, and how many were removed.
 */
export const KEEP_SCRIPT: string = `
set -e
${BOOT_FUNCTION}
${MACHINE_FUNCTION}
umask 077
series=$1 run=$2 most=$3 age=$4
mkdir -p "$series"
exec 9> "$series/lock"
flock 9
last=0
[ ! -f "$series/last" ] || read -r last < "$series/last" || last=0
for each in $(ls "$series" | grep -x '[0-9]*'); do [ "$each" -le "$last" ] || last=$each; done
id=$((last + 1))
rm -rf "$series/new"
# Its links would keep the images, which on a full disk nobody would remove.
trap 'rm -rf "$series/new"' EXIT
mkdir "$series/new"
cat > "$series/new/checkpoint.json"
[ "$(wc -c < "$series/new/checkpoint.json")" = "$6" ] || { echo 'the record did not come to its end' >&2; exit 1; }
{ machine; boot; echo "$5"; } > "$series/new/origin"
# They may be elsewhere, by a link.
cp -al "$run/images/." "$series/new/images" 2> /dev/null || {
  rm -rf "$series/new/images"
  cp -a "$run/images/." "$series/new/images"
}
cp "$run/images.sha256" "$series/new/images.sha256"
[ ! -d "$run/files" ] || mv "$run/files" "$series/new/files"
sync -f "$series/new"
echo "$id" > "$series/last.new"
mv "$series/last.new" "$series/last"
mv -T "$series/new" "$series/$id"
trap - EXIT
sync -f "$series"
now=$(date +%s) kept=0 removed=0
for each in $(ls "$series" | grep -x '[0-9]*' | sort -rn); do
  record=$series/$each/checkpoint.json
  if [ "$each" != "$id" ] && { [ ! -f "$record" ] || [ "$kept" -ge "$most" ] ||
    { [ -n "$age" ] && [ "$((now - $(stat -c %Y "$record")))" -gt "$age" ]; }; }; then
    # The record first: what is half removed is none.
    rm -f "$record"
    rm -rf "\${series:?}/$each"
    removed=$((removed + 1))
  else
    kept=$((kept + 1))
  fi
done
echo "$id $kept $removed"
`;

/**
 * Prints the number of a checkpoint; `here` or `elsewhere`, by the machine that it was kept on; `same` or `earlier`, by the
 * boot; `ended` when a person answers for it that its workload has, else `unsure`. Then where the workload has moved to, or an
 * empty line, and the record. Arguments: the directory of the series; the number, or `latest`.
 */
export const READ_SCRIPT: string = `
${BOOT_FUNCTION}
${MACHINE_FUNCTION}
id=$2
[ "$id" != latest ] || id=$(
  for each in $(ls "$1" 2> /dev/null | grep -x '[0-9]*' | sort -rn); do
    [ ! -f "$1/$each/checkpoint.json" ] || { echo "$each"; break; }
  done
)
[ -n "$id" ] && [ -f "$1/$id/checkpoint.json" ] || { ls "$1" 2> /dev/null | grep -x '[0-9]*' | sort -n | tr '\\n' ' '; exit 3; }
cd "$1/$id" || exit 1
{ IFS= read -r machine; IFS= read -r boot; } < origin
place=here boots=same ended=unsure
[ "$machine" = "$(machine)" ] || place=elsewhere
[ "$boot" = "$(boot)" ] || boots=earlier
[ ! -e has-ended ] || ended=ended
echo "$id $place $boots $ended"
head -n 1 moved-to 2> /dev/null | grep . || echo
cat checkpoint.json
`;

/**
 * Writes beside the checkpoints of a workload that has moved away where it is now: whoever restores one would start a second copy.
 * Arguments: the directory of all series; the root process, as `PID START`; where it moved to.
 */
export const MARK_MOVED_SCRIPT: string = `
${BOOT_FUNCTION}
${MACHINE_FUNCTION}
[ -d "$1" ] || exit 0
here=$(machine; boot; echo "$2")
for origin in "$1"/*/*/origin; do
  [ "$(cat "$origin" 2> /dev/null)" != "$here" ] || printf '%s\\n' "$3" > "\${origin%/*}/moved-to"
done
`;

/** Removes a series. The records first: what is half removed is none. Argument: its directory. */
export const REMOVE_SERIES_SCRIPT = `
rm -f "$1"/*/checkpoint.json
rm -rf "$1"
`;

/**
 * Prints the pids that run a program with a command line, each on a line. Arguments: the path of the program, as /proc/PID/exe names
 * it; the command line, its arguments separated by spaces.
 */
export const TWINS_SCRIPT = `
for exe in /proc/[0-9]*/exe; do
  [ "$(readlink "$exe" 2> /dev/null)" = "$1" ] || continue
  pid=\${exe#/proc/} pid=\${pid%/exe}
  [ "$(tr '\\0' ' ' < "/proc/$pid/cmdline" | tr '\\t' ' ' | sed 's/ *$//')" != "$2" ] || echo "$pid"
done
`;

/**
 * Puts the images of a checkpoint into the directory of a run, by links, and prints their digests. Idempotent. Arguments: the
 * checkpoint's directory; the run's.
 */
export const TAKE_SCRIPT = `
set -e
umask 077
mkdir -p "$2"
rm -rf "$2/images"
cp -al "$1/images" "$2/images" 2> /dev/null || {
  rm -rf "$2/images"
  cp -a "$1/images" "$2/images"
}
# The record is the first that goes: what was pruned meanwhile was not taken whole.
[ -f "$1/checkpoint.json" ] || { echo 'the checkpoint was removed meanwhile' >&2; exit 1; }
cp "$1/images.sha256" "$2/images.sha256"
cat "$2/images.sha256"
`;
