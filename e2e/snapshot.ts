// SPDX-License-Identifier: Apache-2.0
import type { AttachedCluster } from '#hack/cluster/attached-cluster';

type Json = Readonly<Record<string, unknown>>;

interface Listed extends Json {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

const NAMESPACED = [
  '/api/v1/%/configmaps',
  '/api/v1/%/secrets',
  '/api/v1/%/serviceaccounts',
  '/api/v1/%/resourcequotas',
  '/api/v1/%/limitranges',
  '/apis/networking.k8s.io/v1/%/networkpolicies',
  '/apis/rbac.authorization.k8s.io/v1/%/roles',
  '/apis/rbac.authorization.k8s.io/v1/%/rolebindings',
  '/api/v1/%/pods',
  '/apis/nexusos.dev/v1alpha1/%/agents',
  '/apis/nexusos.dev/v1alpha1/%/runs',
];
const CLUSTER_SCOPED = [
  '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
];

/**
 * Everything of the tenant `name` that is on the cluster: what lies in its namespaces and what is labelled as its own,
 * without what differs between two namesakes (UIDs, versions, times) and with the name itself replaced. Two tenants of
 * the same spec in the same state have the same snapshot.
 */
export async function snapshotTenant(cluster: AttachedCluster, name: string): Promise<readonly string[]> {
  const label = `labelSelector=nexusos.dev%2Ftenant%3D${name}`;
  const namespaces = await list(cluster, `/api/v1/namespaces?${label}`);
  const paths = [
    ...namespaces.flatMap(({ metadata }) =>
      NAMESPACED.map((path) => path.replace('%', `namespaces/${metadata.name}`)),
    ),
    ...CLUSTER_SCOPED.map((path) => `${path}?${label}`),
  ];
  const lists = await Promise.all(paths.map((path) => list(cluster, path)));
  const single = await Promise.all(
    ['tenants', 'quotaledgers'].map((plural) =>
      cluster.admin.get(`/apis/nexusos.dev/v1alpha1/${plural}/${name}`),
    ),
  );
  const objects = [...namespaces, ...lists.flat(), ...single.filter((one) => one !== undefined)];
  return objects.map((object) => normalize(object as Listed, name)).toSorted();
}

async function list(cluster: AttachedCluster, path: string): Promise<readonly Listed[]> {
  const answer = await cluster.admin.get(path);
  const kind = String(answer?.['kind']).replace(/List$/, '');
  const items = (answer?.['items'] ?? []) as readonly Omit<Listed, 'kind'>[];
  return items.map((item) => ({ ...item, kind }) as Listed);
}

/** Fields that no two objects share, wherever they stand. */
const PERSONAL = new Set([
  'uid',
  'tenantUID',
  'nexusos.dev/tenant-uid',
  'nexusos.dev/applied-hash',
  'resourceVersion',
  'creationTimestamp',
  'lastTransitionTime',
  'usageAt',
  'managedFields',
  'generation',
  'observedGeneration',
  'apiVersion',
]);

function normalize(object: Listed, name: string): string {
  const { kind, metadata } = object;
  const id = `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;
  const text = JSON.stringify(object, (key, value: unknown) =>
    PERSONAL.has(key) ? undefined : sorted(value),
  );
  return `${id} ${text}`.replaceAll(name, '<tenant>');
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
