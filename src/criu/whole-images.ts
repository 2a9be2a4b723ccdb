import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';

/** In a run's directory on the source: the memory was streamed to the destination, and the images here are without it. */
export const STREAMED_MARK = 'images.streamed';

/** In a run's directory on the destination: all of the images have come. */
const ARRIVED_MARK = 'images.arrived';

/**
 * `whole RUN_DIRECTORY`: whether the images there are all of a workload. On the source they are when criu has dumped them; on the destination
 * when all had come, or when they have digests, as those of a checkpoint. Most of a memory that is fetched later is in neither.
 */
export const WHOLE_FUNCTION: string = `
whole() {
  [ -s "$1/images/inventory.img" ] && [ ! -e "$1/${STREAMED_MARK}" ] || return
  [ ! -e "$1/dump/serves" ] && [ ! -e "$1/restore/lazy-pages.pl" ] || return
  [ -f "$1/dump/held" ] || [ -f "$1/dump/dumped" ] || [ -f "$1/${ARRIVED_MARK}" ] || [ -f "$1/images.sha256" ]
}
`;

/** In a run's directory on the source: what the workload had written to its files is on the disk. */
export const FILES_SYNCED_MARK = 'files.synced';

/**
 * `sure RUN_DIRECTORY`: whether a source knows its images to be as they were dumped, and to fit the files. After a power cut only their digests
 * tell, and that the files were synced; or a person. Needs BOOT_FUNCTION.
 */
export const SURE_FUNCTION: string = `
sure() {
  [ -f "$1/images.sha256" ] && [ -f "$1/${FILES_SYNCED_MARK}" ] || [ -f "$1/images.unchecked" ] ||
    [ "$(cat "$1/dump/boot" 2> /dev/null)" = "$(boot)" ]
}
`;

/** Notes that all of a run's images have come to the destination. */
export async function markArrived(destination: Host, runDirectory: string): Promise<void> {
  await mustRunScript(destination, `: > "$1/${ARRIVED_MARK}"`, [runDirectory], {
    what: 'Noting the arrival',
  });
}

/** Whether a host has all of a run's images. Changes nothing. */
export async function areWhole(host: Host, runDirectory: string): Promise<boolean> {
  const script = `${WHOLE_FUNCTION}\nif whole "$1"; then echo whole; fi`;
  const { stdout } = await mustRunScript(host, script, [runDirectory], { what: 'Looking at the images' });
  return stdout.trim() === 'whole';
}
