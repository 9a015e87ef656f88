// SPDX-License-Identifier: Apache-2.0
import { API_VERSION } from '#crds/v1alpha1/names';
import type { Resource } from '../object.ts';
import { type Binding, rulesOf } from '../policy/match.ts';

function kind(apiVersion: string, name: string, plural: string): Resource {
  return { apiVersion, kind: name, plural, namespaced: true };
}

/**
 * What is looked at where it exists. A list, and not whatever packs name: the operator may read no more than this, so no pack has it read
 * what is secret. What is not here is judged when it is written, and not before.
 */
export const SCANNABLE: readonly Resource[] = [
  kind('v1', 'Pod', 'pods'),
  kind('v1', 'PodTemplate', 'podtemplates'),
  kind('v1', 'ReplicationController', 'replicationcontrollers'),
  kind('v1', 'Service', 'services'),
  kind('v1', 'ServiceAccount', 'serviceaccounts'),
  kind('apps/v1', 'DaemonSet', 'daemonsets'),
  kind('apps/v1', 'Deployment', 'deployments'),
  kind('apps/v1', 'ReplicaSet', 'replicasets'),
  kind('apps/v1', 'StatefulSet', 'statefulsets'),
  kind('batch/v1', 'CronJob', 'cronjobs'),
  kind('batch/v1', 'Job', 'jobs'),
  kind('networking.k8s.io/v1', 'Ingress', 'ingresses'),
  kind('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies'),
  kind('rbac.authorization.k8s.io/v1', 'Role', 'roles'),
  kind('rbac.authorization.k8s.io/v1', 'RoleBinding', 'rolebindings'),
  kind(API_VERSION, 'Agent', 'agents'),
  kind(API_VERSION, 'Run', 'runs'),
];

/** What some bindings have to do with. */
export interface Scanned {
  readonly resources: readonly Resource[];
  /** `resource.group` of what they name and nobody looks at. */
  readonly beyond: readonly string[];
}

/** What of that which exists `bindings` are about: of `SCANNABLE`, and of kinds of others that the platform names. Subresources are requests, and none of them exists. */
export function scannedBy(bindings: readonly Binding[], foreign: readonly Resource[] = []): Scanned {
  const scannable = [...SCANNABLE, ...foreign];
  const names = bindings
    .flatMap(rulesOf)
    .flatMap(({ apiGroups, resources }) =>
      resources
        .filter((one) => !one.includes('/') || one.endsWith('/*'))
        .flatMap((one) => apiGroups.map((group) => ({ group, resource: one.split('/', 1)[0] ?? '' }))),
    );
  const isNamed = (one: Resource) =>
    names.some(
      ({ group, resource }) =>
        (group === '*' || group === groupOf(one)) && (resource === '*' || resource === one.plural),
    );
  const beyond = names
    .filter(({ group, resource }) => group !== '*' && resource !== '*')
    .filter(
      ({ group, resource }) => !scannable.some((one) => groupOf(one) === group && one.plural === resource),
    )
    .map(({ group, resource }) => (group === '' ? resource : `${resource}.${group}`));
  return { resources: scannable.filter(isNamed), beyond: [...new Set(beyond)].toSorted() };
}

/** The API group of a resource; empty for the core group. */
export function groupOf({ apiVersion }: Pick<Resource, 'apiVersion'>): string {
  return apiVersion.includes('/') ? (apiVersion.split('/', 1)[0] ?? '') : '';
}
