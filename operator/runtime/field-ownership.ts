// SPDX-License-Identifier: Apache-2.0

/** One entry of `metadata.managedFields`. `fieldsV1` is a trie of field paths. */
export interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  readonly apiVersion?: string;
  readonly fieldsV1?: Trie;
}

/** A set of field paths: a path is in it when it leads to a node. */
export interface Trie {
  readonly [step: string]: Trie;
}

/**
 * The managed fields of an object once `manager` owns by server-side apply what it owns by a create or an update; undefined when
 * that is nothing. Only then does an apply take away what is no longer wanted: to the API server, an update and an apply of
 * one manager are two owners. The method is that of client-go's `csaupgrade`.
 */
export function ownedByApply(
  entries: readonly ManagedFields[],
  manager: string,
): readonly ManagedFields[] | undefined {
  const isOurs = (entry: ManagedFields) => entry.manager === manager && (entry.subresource ?? '') === '';
  const ours = entries.filter(isOurs);
  const updated = ours.find(({ operation }) => operation === 'Update');
  if (updated === undefined) return undefined;
  const applied = ours.find(({ operation }) => operation === 'Apply') ?? updated;
  const fieldsV1 = ours.map((entry) => entry.fieldsV1 ?? {}).reduce(union);
  return [...entries.filter((entry) => !isOurs(entry)), { ...applied, operation: 'Apply', fieldsV1 }];
}

function union(a: Trie, b: Trie): Trie {
  const merged = Object.entries(b).map(([step, below]) => {
    const known = a[step];
    return [step, known === undefined ? below : union(known, below)] as const;
  });
  return { ...a, ...Object.fromEntries(merged) };
}
