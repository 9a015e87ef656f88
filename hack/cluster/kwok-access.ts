// SPDX-License-Identifier: Apache-2.0
import type { ApiObject, Creation } from './api-client.ts';

const rbac = '/apis/rbac.authorization.k8s.io/v1';
const subjects = [{ kind: 'User', name: 'kwok', apiGroup: 'rbac.authorization.k8s.io' }];

/** What KWOK needs to play nodes and their pods, and nothing else: it may not even read a Secret. */
const clusterRules: readonly ApiObject[] = [
  { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch', 'delete'] },
  { apiGroups: [''], resources: ['nodes/status', 'pods/status'], verbs: ['patch', 'update'] },
  { apiGroups: ['', 'events.k8s.io'], resources: ['events'], verbs: ['create', 'patch', 'update'] },
];

const leaseRules: readonly ApiObject[] = [
  {
    apiGroups: ['coordination.k8s.io'],
    resources: ['leases'],
    verbs: ['get', 'list', 'watch', 'create', 'patch', 'update'],
  },
];

/** The objects that let the user `kwok` do its work, with the path each is created at. */
export function kwokAccess(): readonly Creation[] {
  const metadata = { name: 'kwok' };
  const inLeases = { name: 'kwok', namespace: 'kube-node-lease' };
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  const namespaced = `${rbac}/namespaces/${inLeases.namespace}`;
  return [
    {
      path: `${rbac}/clusterroles`,
      object: { apiVersion, kind: 'ClusterRole', metadata, rules: clusterRules },
    },
    {
      path: `${rbac}/clusterrolebindings`,
      object: { apiVersion, kind: 'ClusterRoleBinding', metadata, subjects, roleRef: roleRef('ClusterRole') },
    },
    {
      path: `${namespaced}/roles`,
      object: { apiVersion, kind: 'Role', metadata: inLeases, rules: leaseRules },
    },
    {
      path: `${namespaced}/rolebindings`,
      object: { apiVersion, kind: 'RoleBinding', metadata: inLeases, subjects, roleRef: roleRef('Role') },
    },
    { path: '/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas', object: flowSchema() },
  ];
}

function roleRef(kind: 'ClusterRole' | 'Role'): ApiObject {
  return { apiGroup: 'rbac.authorization.k8s.io', kind, name: 'kwok' };
}

/** Real kubelets have the priority level `system`; without it a busy cluster would starve its simulated nodes. */
function flowSchema(): ApiObject {
  const everything = {
    verbs: ['*'],
    apiGroups: ['*'],
    resources: ['*'],
    clusterScope: true,
    namespaces: ['*'],
  };
  return {
    apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
    kind: 'FlowSchema',
    metadata: { name: 'kwok' },
    spec: {
      priorityLevelConfiguration: { name: 'system' },
      matchingPrecedence: 450,
      distinguisherMethod: { type: 'ByUser' },
      rules: [{ subjects: [{ kind: 'User', user: { name: 'kwok' } }], resourceRules: [everything] }],
    },
  };
}
