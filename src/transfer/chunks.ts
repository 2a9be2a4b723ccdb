/** Of each request for data: what OpenSSH's server takes at once. */
export const CHUNK_BYTES: number = 240 * 1024;

/** How many of these are on the way, of each file. */
export const CHUNKS_AT_ONCE = 16;

/** Where the chunks of a file begin that are between two places of it. */
export function* positions(begin: number, end: number): Generator<number> {
  for (let position = begin; position < end; position += CHUNK_BYTES) yield position;
}
