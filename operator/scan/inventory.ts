// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { LABELS } from '#crds/v1alpha1/names';
import type { PolicyInventory } from '#crds/v1alpha1/policy-inventory';
import type { KubeObject, Resource } from '../core/object.ts';
import {
  hasInventory,
  inventoryFault,
  inventoryText,
  MAX_INVENTORY_BYTES,
  MAX_INVENTORY_OBJECTS,
  objectTexts,
  projected,
  resourceFor,
  withInventory,
} from '../core/policy/inventory.ts';
import type { ScanWorld } from '../core/scan/world.ts';
import type { LoadedRevision } from '../policy/packs/load.ts';
import type { Client } from '../runtime/client.ts';

/** With what live objects are read. */
export interface InventoryReading {
  readonly client: Pick<Client, 'list'>;
  /** Kinds that packs may look at. */
  readonly kinds: readonly Resource[];
}

/** A revision with what it looks at, read now; or why that cannot be had. */
export type Seen =
  | { readonly kind: 'ok'; readonly loaded: LoadedRevision }
  | { readonly kind: 'unseen'; readonly why: string };

/** Reads the live objects that a revision looks at, as they are now: a scan compares everything with the same. */
export async function seeInventory(
  revision: KubeObject,
  {
    loaded,
    inventory,
    world,
  }: { readonly loaded: LoadedRevision; readonly inventory: PolicyInventory; readonly world: ScanWorld },
  { client, kinds: allowed }: InventoryReading,
): Promise<Seen> {
  const own = ownNamespaces(revision, world);
  const fault = inventoryFault(inventory, allowed, own !== undefined);
  if (fault !== undefined) return { kind: 'unseen', why: fault };
  if (hasInventory(loaded.data?.bytes))
    return { kind: 'unseen', why: 'its data have an inventory of their own' };
  try {
    const kinds = [];
    for (const wanted of inventory.kinds) {
      const resource = resourceFor(wanted, allowed);
      if (resource !== undefined)
        kinds.push({ resource, objects: await read(client, resource, wanted.fields) });
    }
    const text = inventoryText({ inventory, own }, kinds, {
      maxBytes: MAX_INVENTORY_BYTES,
      textOf: objectTexts(),
    });
    const bytes = withInventory(loaded.data?.bytes, text);
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    return { kind: 'ok', loaded: { ...loaded, data: { digest, bytes } } };
  } catch (error) {
    return { kind: 'unseen', why: error instanceof Error ? error.message : String(error) };
  }
}

async function read(
  client: Pick<Client, 'list'>,
  resource: Resource,
  fields: readonly string[] | undefined,
): Promise<readonly KubeObject[]> {
  const found: KubeObject[] = [];
  for await (const { items } of client.list(resource)) {
    found.push(...items.map((one) => projected(one, resource, fields) as KubeObject));
    if (found.length > MAX_INVENTORY_OBJECTS)
      throw new Error(`there are more than ${MAX_INVENTORY_OBJECTS} objects of kind ${resource.kind}`);
  }
  return found;
}

/** Of the pack of a tenant: its namespaces. Undefined: it is the platform's, and sees all. */
function ownNamespaces(
  { metadata }: KubeObject,
  { platformNamespace, namespaces }: ScanWorld,
): ReadonlySet<string> | undefined {
  const { namespace = '' } = metadata;
  if (namespace === platformNamespace) return undefined;
  const tenant = namespaces.get(namespace)?.labels[LABELS.tenant];
  const own = [...namespaces.values()].filter(
    ({ labels }) => tenant !== undefined && labels[LABELS.tenant] === tenant,
  );
  return new Set(own.map(({ name }) => name));
}
