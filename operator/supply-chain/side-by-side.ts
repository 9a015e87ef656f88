// SPDX-License-Identifier: Apache-2.0

/** Does `work` for each item, so many at a time; what came of it, in the order of the items. */
export async function sideBySide<T, U>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<U>,
): Promise<readonly U[]> {
  const results: U[] = [];
  const waiting = items.entries();
  const line = async (): Promise<void> => {
    for (const [index, item] of waiting) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, line));
  return results;
}
