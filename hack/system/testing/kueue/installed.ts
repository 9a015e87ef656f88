// SPDX-License-Identifier: Apache-2.0
import { GROUP, kueueKinds, type Versions } from './kinds.ts';

/** Where Kueue's controller has its identity, as its own manifests have it. */
export const KUEUE = { namespace: 'kueue-system', serviceAccount: 'kueue-controller-manager' } as const;

/** What Kueue knows its own pods by. */
export const MARKS = {
  queue: 'kueue.x-k8s.io/queue-name',
  managed: 'kueue.x-k8s.io/managed',
  gate: 'kueue.x-k8s.io/admission',
  evicted: 'TerminationTarget',
} as const;

const WRITES = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'];

/** What is installed with Kueue: its kinds, the identity of its controller, and what it may do. */
export function kueueObjects(versions: Versions): readonly object[] {
  const name = 'kueue-stand-in';
  const rbac = 'rbac.authorization.k8s.io';
  const metadata = { name };
  return [
    ...kueueKinds(versions),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: KUEUE.namespace } },
    {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: KUEUE.serviceAccount, namespace: KUEUE.namespace },
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRole',
      metadata,
      rules: [
        {
          apiGroups: [''],
          resources: ['pods'],
          verbs: ['delete', 'get', 'list', 'patch', 'update', 'watch'],
        },
        { apiGroups: [''], resources: ['pods/status'], verbs: ['get', 'patch'] },
        { apiGroups: [''], resources: ['pods/finalizers'], verbs: ['get', 'update'] },
        {
          apiGroups: [GROUP],
          resources: ['clusterqueues', 'localqueues', 'resourceflavors', 'workloads'],
          verbs: WRITES,
        },
        {
          apiGroups: [GROUP],
          resources: [
            'clusterqueues/status',
            'localqueues/status',
            'workloads/status',
            'workloads/finalizers',
          ],
          verbs: ['get', 'patch', 'update'],
        },
      ],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata,
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name },
      subjects: [{ kind: 'ServiceAccount', name: KUEUE.serviceAccount, namespace: KUEUE.namespace }],
    },
    ...webhook(),
  ];
}

/** What its webhook does to a pod with the label of a queue, as a policy of the API server, which needs no server of its own. */
function webhook(): readonly object[] {
  const apiVersion = 'admissionregistration.k8s.io/v1';
  const metadata = { name: 'kueue-stand-in' };
  const expression = `Object{
    metadata: Object.metadata{
      labels: {'${MARKS.managed}': 'true'},
      finalizers: ['${MARKS.managed}']
    },
    spec: Object.spec{
      schedulingGates: [Object.spec.schedulingGates{name: '${MARKS.gate}'}]
    }
  }`;
  return [
    {
      apiVersion,
      kind: 'MutatingAdmissionPolicy',
      metadata,
      spec: {
        failurePolicy: 'Fail',
        reinvocationPolicy: 'Never',
        matchConstraints: {
          resourceRules: [
            { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] },
          ],
        },
        matchConditions: [
          {
            name: 'queued',
            expression: `has(object.metadata.labels) && '${MARKS.queue}' in object.metadata.labels`,
          },
        ],
        mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression } }],
      },
    },
    {
      apiVersion,
      kind: 'MutatingAdmissionPolicyBinding',
      metadata,
      spec: { policyName: metadata.name },
    },
  ];
}
