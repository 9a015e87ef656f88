// SPDX-License-Identifier: Apache-2.0
import { GROUP } from '#crds/v1alpha1/names';
import type { KubeObject } from '../object.ts';

/** Roles that an owner of a tenant can have. */
export const OWNER_ROLES = ['admin', 'operator', 'viewer'] as const;
/** One of the roles that an owner can have. */
export type OwnerRole = (typeof OWNER_ROLES)[number];

/** Name of the ClusterRole that an owner role is bound to, inside the namespaces of the tenant only. */
export function clusterRoleName(role: OwnerRole): string {
  return `nexusos:tenant-${role}`;
}

/** ClusterRole of the operator in namespaces that get copies of pull secrets, and nowhere else. */
export const PULL_SECRET_WRITER = 'nexusos:pull-secret-writer';

/** ClusterRole of containers that call others, in the namespace of their Run alone; a guardrail says which Runs they may create. */
export const RUN_CALLER = 'nexusos:run-caller';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

const READ = ['get', 'list', 'watch'];
const WRITE = ['create', 'update', 'patch', 'delete', 'deletecollection'];
const ALL = [...READ, ...WRITE];

const WORKLOADS = ['daemonsets', 'deployments', 'replicasets', 'statefulsets'];
const SCALES = ['deployments/scale', 'replicasets/scale', 'statefulsets/scale'];

/** Everything but Secrets and RBAC is open to a viewer; quota and limits may be seen by everybody, changed by nobody. */
const VIEW: readonly Rule[] = [
  {
    apiGroups: [''],
    resources: [
      'configmaps',
      'endpoints',
      'events',
      'limitranges',
      'persistentvolumeclaims',
      'pods',
      'pods/log',
      'podtemplates',
      'replicationcontrollers',
      'resourcequotas',
      'serviceaccounts',
      'services',
    ],
    verbs: READ,
  },
  { apiGroups: ['apps'], resources: [...WORKLOADS, 'controllerrevisions'], verbs: READ },
  { apiGroups: ['autoscaling'], resources: ['horizontalpodautoscalers'], verbs: READ },
  { apiGroups: ['batch'], resources: ['cronjobs', 'jobs'], verbs: READ },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: READ },
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: READ },
  { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: READ },
  { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: READ },
  {
    apiGroups: [GROUP],
    resources: [
      'agentrevisions',
      'agents',
      'imagepolicies',
      'imageverdicts',
      'policypackrevisions',
      'policypacks',
      'runs',
    ],
    verbs: READ,
  },
];

/** Running and restarting: Runs as a whole, pods and workloads as they are, but neither new kinds of workload nor borders. */
const OPERATE: readonly Rule[] = [
  { apiGroups: [''], resources: ['pods'], verbs: ['delete'] },
  // An API server asks for get or create on these, depending on the protocol that the client speaks.
  {
    apiGroups: [''],
    resources: ['pods/attach', 'pods/exec', 'pods/portforward'],
    verbs: ['create', 'get'],
  },
  { apiGroups: [''], resources: ['pods/eviction'], verbs: ['create'] },
  {
    apiGroups: ['apps'],
    resources: ['deployments', 'statefulsets', 'daemonsets'],
    verbs: ['patch', 'update'],
  },
  { apiGroups: ['apps'], resources: SCALES, verbs: ['get', 'patch', 'update'] },
  { apiGroups: [GROUP], resources: ['runs'], verbs: WRITE },
];

/** Everything in the namespaces that stays inside them. The guardrails bound what may be written. */
const ADMINISTER: readonly Rule[] = [
  {
    apiGroups: [''],
    resources: [
      'configmaps',
      'persistentvolumeclaims',
      'pods',
      'podtemplates',
      'replicationcontrollers',
      'secrets',
      'serviceaccounts',
      'services',
    ],
    verbs: ALL,
  },
  { apiGroups: [''], resources: ['pods/ephemeralcontainers'], verbs: ['get', 'patch', 'update'] },
  { apiGroups: [''], resources: ['replicationcontrollers/scale'], verbs: ['get', 'patch', 'update'] },
  { apiGroups: [''], resources: ['serviceaccounts/token'], verbs: ['create'] },
  { apiGroups: ['apps'], resources: WORKLOADS, verbs: ALL },
  { apiGroups: ['autoscaling'], resources: ['horizontalpodautoscalers'], verbs: ALL },
  { apiGroups: ['batch'], resources: ['cronjobs', 'jobs'], verbs: ALL },
  { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: ALL },
  { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: ALL },
  { apiGroups: ['rbac.authorization.k8s.io'], resources: ['rolebindings', 'roles'], verbs: ALL },
  { apiGroups: [GROUP], resources: ['agents', 'imagepolicies', 'policypacks', 'runs'], verbs: ALL },
  // Not for those who only create Runs: what their Agents ask for is that somebody else looks at them.
  { apiGroups: [GROUP], resources: ['runs'], verbs: ['approve'] },
];

/**
 * The ClusterRoles that the chart installs: what owners may do inside the namespaces of their tenant, and what the
 * operator may do where it copies pull secrets, and containers that call others. No wildcard, no status, no quota.
 */
export function tenantClusterRoles(): readonly KubeObject[] {
  return [
    clusterRole(clusterRoleName('admin'), merge([...VIEW, ...OPERATE, ...ADMINISTER])),
    clusterRole(clusterRoleName('operator'), merge([...VIEW, ...OPERATE])),
    clusterRole(clusterRoleName('viewer'), merge(VIEW)),
    clusterRole(PULL_SECRET_WRITER, [
      { apiGroups: [''], resources: ['secrets'], verbs: ['create', 'delete', 'get', 'patch'] },
    ]),
    clusterRole(RUN_CALLER, [
      { apiGroups: [GROUP], resources: ['runs'], verbs: ['create', 'get', 'list', 'watch'] },
    ]),
  ];
}

function clusterRole(name: string, rules: readonly Rule[]): KubeObject {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name },
    rules,
  };
}

/** One rule for each resource, and resources with the same verbs together: sorted, so that a diff is a change. */
function merge(rules: readonly Rule[]): readonly Rule[] {
  const verbs = new Map<string, Set<string>>();
  for (const rule of rules) {
    for (const resource of rule.resources) {
      const key = `${rule.apiGroups.join()} ${resource}`;
      verbs.set(key, new Set([...(verbs.get(key) ?? []), ...rule.verbs]));
    }
  }
  const groups = new Map<string, string[]>();
  for (const [key, set] of [...verbs].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const [group = '', resource = ''] = key.split(' ');
    const signature = `${group} ${[...set].toSorted().join()}`;
    groups.set(signature, [...(groups.get(signature) ?? []), resource]);
  }
  return [...groups].map(([signature, resources]) => {
    const [group = '', list = ''] = signature.split(' ');
    return { apiGroups: [group], resources, verbs: list.split(',') };
  });
}
