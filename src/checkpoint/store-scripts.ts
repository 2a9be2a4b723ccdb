/** Where a host keeps its checkpoints: a directory for each series, with one for each checkpoint, named by its number. */
export const CHECKPOINTS_DIRECTORY = '/var/lib/criu-flow/checkpoints';

/**
 * Makes a checkpoint of what a run has dumped, the last one of its series, and removes old ones. It is there when its directory has
 * its number for a name: one that was cut off is `new`, which the next one removes. All of it is on the disk by then (sync(1) of
 * the file system: outside of the pause). Images are linked, not copied. Arguments: the directory of the series; the run's; how many
 * stay; how many seconds those before may be old, or nothing. On stdin: the record. Prints its number, how many there are now,
 * and how many were removed.
 */
export const KEEP_SCRIPT = `
set -e
umask 077
series=$1 run=$2 most=$3 age=$4
mkdir -p "$series"
exec 9> "$series/lock"
flock 9
last=0
[ ! -f "$series/last" ] || read -r last < "$series/last"
for each in $(ls "$series" | grep -x '[0-9]*'); do [ "$each" -le "$last" ] || last=$each; done
id=$((last + 1))
rm -rf "$series/new"
mkdir "$series/new"
cat > "$series/new/checkpoint.json"
cp -al "$run/images" "$series/new/images" 2> /dev/null || {
  rm -rf "$series/new/images"
  cp -a "$run/images" "$series/new/images"
}
cp "$run/images.sha256" "$series/new/images.sha256"
[ ! -d "$run/files" ] || mv "$run/files" "$series/new/files"
sync -f "$series/new"
echo "$id" > "$series/last.new"
mv "$series/last.new" "$series/last"
mv -T "$series/new" "$series/$id"
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

/** Prints the number of a checkpoint, and its record. Arguments: the directory of the series; the number, or `latest`. */
export const READ_SCRIPT = `
id=$2
[ "$id" != latest ] || id=$(
  for each in $(ls "$1" 2> /dev/null | grep -x '[0-9]*' | sort -rn); do
    [ ! -f "$1/$each/checkpoint.json" ] || { echo "$each"; break; }
  done
)
[ -n "$id" ] && [ -f "$1/$id/checkpoint.json" ] || { ls "$1" 2> /dev/null | grep -x '[0-9]*' | sort -n | tr '\\n' ' '; exit 3; }
echo "$id"
cat "$1/$id/checkpoint.json"
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
cat "$1/images.sha256"
`;
