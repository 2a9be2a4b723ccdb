import { FILES_SYNCED_MARK } from '../criu/whole-images.ts';
import { MANIFEST_ONCE_FUNCTION } from '../transfer/manifest.ts';

/**
 * What the hold of a dump runs in its directory as soon as criu holds: a source that loses its power then finds its images again, and
 * knows them to be whole, however far the controller is. Nobody waits for the rest: memory that remembers more than its files have
 * would be brought back to what never was, so all that the workload has written goes to the disk, wherever it is, and that is noted.
 * @see sync(2)
 */
export const ON_HELD_SCRIPT: string = `
# Whoever cleans up waits for it.
exec 8> on-held.lock
flock 8
echo "$$ $(cut -d ' ' -f 22 "/proc/$$/stat")" > on-held.pid.new && mv on-held.pid.new on-held.pid
${MANIFEST_ONCE_FUNCTION}
sync held tasks .
(manifest_once "\${PWD%/*}/images") || exit
sync && : > "../${FILES_SYNCED_MARK}" && sync "../${FILES_SYNCED_MARK}" ..
`;
