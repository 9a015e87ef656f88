// SPDX-License-Identifier: Apache-2.0
import type { KubeObject, Resource } from '../../core/object.ts';
import { addressesOf, clusterRanges, type Neighbourhood } from '../../core/tenant/cluster-ranges.ts';
import { type Key, keyOf, keyString, type Reader, type Watch } from '../../runtime/controller.ts';
import { trimNode } from './nodes.ts';
import { ENDPOINT_SLICES, NODES, SERVICE_CIDRS } from '../../core/resources.ts';

/** The API server writes its own addresses into a slice of this Service, in this namespace. */
const API_SERVER = { service: 'kubernetes', namespace: 'default' };
const SOURCES: readonly Resource[] = [NODES, SERVICE_CIDRS, ENDPOINT_SLICES];

/** Whom a change of addresses concerns: called with those that were and those that are. */
export type Concerned = (changed: readonly Neighbourhood[], read: Reader) => readonly Key[];

/**
 * Where the cluster itself can be reached, worked out once for each change and not for each tenant. Nodes report
 * themselves all the time: only a report of other addresses wakes anybody.
 */
export class ClusterAddresses {
  readonly #said = new Map<string, string>();
  #ranges: readonly Neighbourhood[] | undefined;

  /** The watches that keep it up to date. */
  watches(concerned: Concerned): readonly Watch[] {
    const keys = (resource: Resource): Watch['keys'] => {
      return (object, read) => this.#take(resource, object, { read, concerned });
    };
    return [
      { resource: NODES, keys: keys(NODES), trim: trimNode },
      { resource: SERVICE_CIDRS, keys: keys(SERVICE_CIDRS) },
      {
        resource: ENDPOINT_SLICES,
        labelSelector: `kubernetes.io/service-name=${API_SERVER.service}`,
        keys: keys(ENDPOINT_SLICES),
      },
    ];
  }

  /** All of them, as the stores have it. */
  ranges(read: Reader): readonly Neighbourhood[] {
    this.#ranges ??= clusterRanges(SOURCES.flatMap((resource) => read.list(resource).filter(isClusters)));
    return this.#ranges;
  }

  #take(
    resource: Resource,
    object: KubeObject,
    { read, concerned }: { readonly read: Reader; readonly concerned: Concerned },
  ): readonly Key[] {
    if (!isClusters(object)) return [];
    const key = `${resource.plural} ${keyString(keyOf(object))}`;
    const live = read.get(resource, keyOf(object));
    const says = live === undefined ? undefined : addressesOf(live);
    if (this.#said.get(key) === says) return [];
    if (says === undefined) this.#said.delete(key);
    else this.#said.set(key, says);
    this.#ranges = undefined;
    return concerned(clusterRanges(live === undefined ? [object] : [object, live]), read);
  }
}

/** A tenant may have a Service of that name as well, in a namespace of its own. */
function isClusters({ kind, metadata }: KubeObject): boolean {
  return kind !== ENDPOINT_SLICES.kind || metadata.namespace === API_SERVER.namespace;
}
