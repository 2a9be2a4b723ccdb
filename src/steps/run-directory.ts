import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import { imagesDirectory, type StepContext } from './step.ts';

/** Makes the directory of the images on a host, and that of the run, for root only. Idempotent. */
export async function makeImagesDirectory(host: Host, context: StepContext): Promise<void> {
  await mustRunScript(host, 'umask 077; mkdir -p "$1"', [imagesDirectory(context)], {
    what: 'Making the images directory',
  });
}

/**
 * Removes a run's directory on a host, and its parent when nothing else is in it. Arguments: the directory; `1` to
 * keep the images; where they are when that is not in it. Who watched over criu writes a last file there: its lock is free when that is done.
 */
export const REMOVE_RUN_DIRECTORY_SCRIPT = `
for lock in "$1"/*/process/lock "$1"/*/on-held.lock "$1"/images.sha256.lock; do
  [ ! -e "$lock" ] || flock -s -w 5 "$lock" true
done
if [ -n "$2" ]; then
  find "$1" -mindepth 1 -maxdepth 1 ! -name images -exec rm -rf {} +
else
  # What both hosts share goes first, and must have been there: a file system that is not mounted looks as if all was gone.
  if [ -n "$3" ] && [ -L "$1/images" ]; then
    [ -f "$3/probe" ] || { echo "$3 is not there: is the shared file system mounted?" >&2; exit 1; }
    rm -rf "$3" || exit 1
  fi
  # Where root may not even look, it has made nothing.
  [ -z "$3" ] || [ ! -e "$3" ] || rm -rf "$3" || exit 1
  rm -rf "$1" || exit 1
fi
rmdir "\${1%/*}" 2> /dev/null
:
`;
