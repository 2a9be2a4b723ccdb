/**
 * Works through items, at most `width` at a time, each taken when there is room for it.
 * @throws what the first that failed throws: nothing is begun after that, and what had begun is over
 */
export async function inParallel<Item>(
  items: Iterable<Item>,
  width: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  let failure: { readonly error: unknown } | undefined;
  const takeTurns = async (): Promise<void> => {
    for (let next = rest.next(); next.done !== true && !failure; next = rest.next()) {
      try {
        await work(next.value);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: width }, takeTurns));
  if (failure) throw failure.error;
}
