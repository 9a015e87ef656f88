// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import { type Kueue, KUEUE_GROUP, QUEUE_NAME } from '../../core/kueue/kueue.ts';
import { clusterQueueName, flavorName, isForeignFlavor, ownFlavors } from '../../core/kueue/queues.ts';
import type { KubeObject, Resource } from '../../core/object.ts';
import { isOurs } from '../../core/tenant/namespaces.ts';
import { isOwnedBy, type TenantObserved } from '../../core/tenant/tenant.ts';
import type { IndexDeclaration, Key, PolicyRule, Reader, Watch } from '../../runtime/controller.ts';
import { kueueKinds } from './capacity-gate.ts';
import { GPU_CLASSES, NAMESPACES, TENANTS } from '../../core/resources.ts';
import { BY, isForeign, type Observing } from './tenant-view.ts';

/** Kinds of Kueue that are made for each tenant; none without Kueue. */
function queueKinds(kueue: Kueue | undefined): readonly Resource[] {
  if (kueue?.isServed !== true) return [];
  const { clusterQueues, localQueues } = kueueKinds(kueue.version);
  return [clusterQueues, localQueues];
}

/** Indexes that the queues of a tenant are found by. */
export function queueIndexes(kueue: Kueue | undefined): readonly IndexDeclaration[] {
  return queueKinds(kueue).map((resource) => ({
    resource,
    name: BY.tenant,
    of: (object: KubeObject) => (isForeign(object) ? [] : labelOf(object)),
  }));
}

/** What the tenant controller needs for the queues of tenants. */
export function queueRules(kueue: Kueue | undefined): readonly PolicyRule[] {
  if (kueue?.isServed !== true) return [];
  const apiGroups = [KUEUE_GROUP];
  return [
    { apiGroups, resources: ['clusterqueues', 'localqueues'], verbs: ['create', 'patch', 'delete'] },
    { apiGroups, resources: ['resourceflavors'], verbs: ['create', 'patch'] },
  ];
}

/** Watches on queues and flavors, those of somebody else that bear names of ours included. */
export function queueWatches(kueue: Kueue | undefined): readonly Watch[] {
  if (kueue?.isServed !== true) return [];
  const { clusterQueues, localQueues, flavors } = kueueKinds(kueue.version);
  const tenantsOfFlavor: Watch['keys'] = ({ metadata }, read) => {
    // That of cores is of all; one of a class is of those who name the class.
    if (metadata.name === flavorName(kueue)) return keys(namesOf(read.list(TENANTS)));
    return namesOf(read.list(GPU_CLASSES))
      .filter((name) => flavorName(kueue, name) === metadata.name)
      .flatMap((value) => keys(namesOf(read.list(TENANTS, { index: BY.gpuClass, value }))));
  };
  return [
    { resource: clusterQueues, keys: tenantsOfQueue },
    { resource: localQueues, keys: tenantsOfLocalQueue },
    { resource: flavors, keys: tenantsOfFlavor },
  ];
}

/** What was seen of Kueue's objects for a tenant, beside what else was; only that without Kueue. */
export function seeQueues(
  { tenant, read, settings }: Observing,
  { objects, gpuClasses, namespaces: seen }: TenantObserved,
): Pick<TenantObserved, 'flavors' | 'objects' | 'queuesInTheWay'> {
  const { kueue } = settings;
  if (kueue?.isServed !== true) return { objects };
  const { clusterQueues, localQueues, flavors } = kueueKinds(kueue.version);
  const namespaces = namesOf([...seen.values()].filter((one) => isOurs(one, tenant)));
  const labelled = { index: BY.tenant, value: tenant.metadata.name };
  const queues = present([
    read.get(clusterQueues, { name: clusterQueueName(tenant) }),
    ...namespaces.map((namespace) => read.get(localQueues, { namespace, name: QUEUE_NAME })),
  ]);
  const wanted = ownFlavors({ kueue, namespaces, gpuClasses });
  const known = present(wanted.map((name) => read.get(flavors, { name })));
  const foreign = queues.filter((one) => isForeign(one) || !isOwnedBy(one, tenant));
  return {
    objects: [...objects, ...queueKinds(kueue).flatMap((resource) => read.list(resource, labelled))],
    flavors: known,
    queuesInTheWay: [...foreign, ...known.filter(isForeignFlavor)],
  };
}

/** One of somebody else is of the tenant that would have that name. */
function tenantsOfQueue(queue: KubeObject, read: Reader): readonly Key[] {
  if (!isForeign(queue)) return keys(labelOf(queue));
  const isNameFor = (tenant: KubeObject) => clusterQueueName(tenant) === queue.metadata.name;
  return keys(namesOf(read.list(TENANTS).filter(isNameFor)));
}

function tenantsOfLocalQueue(queue: KubeObject, read: Reader): readonly Key[] {
  if (queue.metadata.name !== QUEUE_NAME) return [];
  const namespace = read.get(NAMESPACES, { name: queue.metadata.namespace ?? '' });
  return keys([...labelOf(queue), ...(namespace === undefined ? [] : labelOf(namespace))]);
}

function labelOf({ metadata }: KubeObject): readonly string[] {
  return present([metadata.labels?.[LABELS.tenant]]);
}

function namesOf(objects: readonly KubeObject[]): readonly string[] {
  return objects.map(({ metadata }) => metadata.name);
}

function keys(names: readonly string[]): readonly Key[] {
  return names.map((name) => ({ name }));
}

function present<T>(values: readonly (T | undefined)[]): readonly T[] {
  return values.filter((value) => value !== undefined);
}
