// SPDX-License-Identifier: Apache-2.0

/** What is left out where there is no room for all. */
export interface FairCut<T> {
  /** Whose an entry is. */
  readonly groupOf: (entry: T) => string;
  /** The group that is never left out for another. */
  readonly first: string;
  readonly most: number;
}

/**
 * At most so many entries, in the order in which they are: all of the first group, and of the others as many each as there is room for. However
 * many entries one group has, and whatever its name, the others are seen.
 *
 * fairly(['a1', 'a2', 'a3', 'b1'], { groupOf: (one) => one[0], first: '', most: 2 }) -> ['a1', 'b1']
 */
export function fairly<T>(entries: readonly T[], { groupOf, first, most }: FairCut<T>): T[] {
  if (entries.length <= most) return [...entries];
  const counts = new Map<string, number>();
  const ranked = entries.map((entry, index) => {
    const group = groupOf(entry);
    const rank = group === first ? 0 : (counts.get(group) ?? 0) + 1;
    if (group !== first) counts.set(group, rank);
    return { entry, index, rank };
  });
  const kept = ranked.toSorted((a, b) => a.rank - b.rank || a.index - b.index).slice(0, most);
  return kept.toSorted((a, b) => a.index - b.index).map(({ entry }) => entry);
}
