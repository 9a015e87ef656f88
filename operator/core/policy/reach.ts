// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import { isForTenant } from './match.ts';
import type { Snapshot, SnapshotPack } from './snapshot.ts';

/** How many tenants packs are about; found out once for each snapshot. */
export class ReachOfPairs {
  readonly #known = new WeakMap<Snapshot, Map<SnapshotPack, number>>();

  /** Tenants with a namespace that the new revision of a pack, or its active one, may be asked about. */
  of(snapshot: Snapshot, pack: SnapshotPack): number {
    const known = this.#known.get(snapshot) ?? new Map<SnapshotPack, number>();
    this.#known.set(snapshot, known);
    const reach = known.get(pack) ?? reachOf(snapshot, pack);
    known.set(pack, reach);
    return reach;
  }
}

function reachOf({ namespaces, tenants }: Snapshot, pack: SnapshotPack): number {
  if (pack.trust === 'Tenant') return 1;
  const names = new Set([...namespaces.values()].flatMap(({ labels }) => labels[LABELS.tenant] ?? []));
  const bindings = [pack.active, pack.candidate].flatMap((one) => one?.binding ?? []);
  return [...names].filter((name) =>
    bindings.some((binding) => isForTenant(binding.tenants, { tenant: tenants.get(name) })),
  ).length;
}
