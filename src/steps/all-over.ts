/**
 * Waits until all are over. What goes on in the background while a run is taken back could make anew what that removes.
 * @throws what the first of them that failed throws
 */
export async function allOver(...works: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(works)).find((each) => each.status === 'rejected');
  if (failed) throw failed.reason;
}
