/** In a run's directory on the source: the memory was streamed to the destination, and the images here are without it. */
export const STREAMED_MARK = 'images.streamed';

/**
 * `whole RUN_DIRECTORY`: whether the images there are all of a workload. On the source they are when criu holds; on the destination
 * when all had come, which they have when criu was told to restore them, or when they have digests.
 */
export const WHOLE_FUNCTION: string = `
whole() {
  [ -s "$1/images/inventory.img" ] && [ ! -e "$1/${STREAMED_MARK}" ] || return
  [ -f "$1/dump/held" ] || [ -f "$1/restore/started" ] || [ -f "$1/images.sha256" ]
}
`;
