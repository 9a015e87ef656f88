// SPDX-License-Identifier: Apache-2.0
import type { AttachedCluster } from '#hack/cluster/attached-cluster';

type Json = Readonly<Record<string, unknown>>;

interface Metadata extends Json {
  readonly name: string;
  readonly namespace?: string;
  readonly generateName?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

interface Listed extends Json {
  readonly kind: string;
  readonly metadata: Metadata;
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
  '/api/v1/%/services',
  '/apis/apps/v1/%/deployments',
  '/apis/policy/v1/%/poddisruptionbudgets',
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
  'countedAt',
  'since',
  'rolledOutAt',
  'clusterIP',
  'clusterIPs',
  'usageAt',
  'managedFields',
  'generation',
  'observedGeneration',
  'apiVersion',
]);

/** Kinds of which the controllers of Kubernetes say how they stand, in their own time. */
const TOLD_BY_OTHERS = new Set(['Deployment', 'PodDisruptionBudget', 'Service']);
/** Of a pod whose name was drawn: what follows from the draw, or from a digest in which the tenant's name is. */
const DRAWN = new Set(['name', 'generateName', 'pod-template-hash']);

function normalize(listed: Listed, name: string): string {
  const { kind } = listed;
  const object = TOLD_BY_OTHERS.has(kind) ? { ...listed, status: undefined } : listed;
  const metadata = isDrawn(listed) ? drawnMetadata(listed.metadata) : listed.metadata;
  const id = `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;
  const text = JSON.stringify({ ...object, metadata }, (key, value: unknown) =>
    PERSONAL.has(key) ? undefined : sorted(value),
  );
  return `${id} ${text}`.replaceAll(name, '<tenant>');
}

/** Whether it is a pod that was made under the name that the API server drew for it. */
function isDrawn({ kind, metadata }: Listed): boolean {
  return kind === 'Pod' && metadata.generateName !== undefined;
}

/** Its name is its revision, as no two of the pods of a story are of the same; who owns it is a ReplicaSet with a drawn name, too. */
function drawnMetadata(metadata: Metadata): Metadata {
  const revision = metadata.labels?.['nexusos.dev/revision'] ?? '';
  const kept = JSON.parse(
    JSON.stringify(metadata, (key, value: unknown) => (DRAWN.has(key) ? undefined : value)),
  );
  return { ...kept, name: `<drawn>-${revision}` };
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
