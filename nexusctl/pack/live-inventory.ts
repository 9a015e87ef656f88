// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import {
  hasInventory,
  InventoryTooLarge,
  inventoryText,
  type KindObjects,
  MAX_INVENTORY_BYTES,
  objectTexts,
  withInventory,
} from '#operator/core/policy/inventory';
import type { Live } from './live.ts';
import type { ReadyPack } from './verdict.ts';
import type { World } from './world.ts';

/** A pack that finds live objects under `data.inventory`; or as it was, and why it does not. */
export interface Seeing {
  readonly ready: ReadyPack;
  readonly unseen?: string;
}

/** Has a pack look at the objects that it names (spec.inventory), as they are now. */
export async function seeInventory(ready: ReadyPack, live: Live): Promise<Seeing> {
  const { inventory } = ready.pack.spec;
  const { data } = ready.compiled;
  if (inventory === undefined) return { ready };
  if (hasInventory(data)) return { ready, unseen: 'its data have an inventory of their own' };
  const kinds: KindObjects[] = [];
  for (const wanted of inventory.kinds) {
    const found = await live.objectsOf(wanted);
    if (typeof found === 'string') return { ready, unseen: found };
    kinds.push(found);
  }
  try {
    const own = ownNamespaces(ready, live.world);
    const limits = { maxBytes: MAX_INVENTORY_BYTES, textOf: objectTexts() };
    const text = inventoryText({ inventory, own }, kinds, limits);
    return { ready: { ...ready, judge: ready.judge.withData(withInventory(data, text)) } };
  } catch (error) {
    if (!(error instanceof InventoryTooLarge)) throw error;
    return { ready, unseen: error.message };
  }
}

/** Of the pack of a tenant, the namespaces of that tenant; undefined: it is the platform's, and sees all. */
function ownNamespaces({ pack }: ReadyPack, { namespaces }: World): ReadonlySet<string> | undefined {
  const tenant = namespaces.get(pack.namespace ?? '')?.labels[LABELS.tenant];
  if (tenant === undefined) return undefined;
  const own = [...namespaces.values()].filter(({ labels }) => labels[LABELS.tenant] === tenant);
  return new Set(own.map(({ name }) => name));
}
