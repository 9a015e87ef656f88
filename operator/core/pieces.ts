// SPDX-License-Identifier: Apache-2.0

/**
 * Work that can be done in pieces, and what comes of it. Between two of them whatever else waits for the event loop may have its turn. What it works
 * on is looked at before it begins, so it comes to the same however long it rests.
 */
export type Pieces<T> = Generator<undefined, T, undefined>;

/** So many of those who wait in a queue are looked at in one piece: some tenths of a millisecond where all is to be worked out anew. */
export const PIECE = 64;

/** What comes of work that is done without a rest. */
export function atOnce<T>(pieces: Pieces<T>): T {
  for (let step = pieces.next(); ; step = pieces.next()) if (step.done === true) return step.value;
}

/** What becomes of each of `items`, so many in a piece. */
export function* eachInPieces<Item, Result>(
  items: readonly Item[],
  become: (item: Item) => Result,
): Pieces<readonly Result[]> {
  const results: Result[] = [];
  for (const [i, item] of items.entries()) {
    if (i > 0 && i % PIECE === 0) yield;
    results.push(become(item));
  }
  return results;
}
