// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../object.ts';
import { isOperator } from './pod-place.ts';
import type { GuardrailSettings } from './policy.ts';

const NAME = 'nexusos-run-pods';
const API_VERSION = 'admissionregistration.k8s.io/v1';

/**
 * Forgets who wrote which field of a new pod of a Run. Nobody applies such a pod, and that record is half of it: in etcd, in each watch, and for the API server
 * to keep at every word that a node says of the pod. Where there is none, the API server keeps none at the writes that follow. A pod that waits
 * for Kueue keeps it, since that changes the pod, too.
 */
export function podFieldsMutation(settings: GuardrailSettings): readonly KubeObject[] {
  return [
    {
      apiVersion: API_VERSION,
      kind: 'MutatingAdmissionPolicy',
      metadata: { name: NAME },
      spec: {
        // To do without it costs more, and nothing else.
        failurePolicy: 'Ignore',
        reinvocationPolicy: 'Never',
        matchConstraints: {
          resourceRules: [
            {
              apiGroups: [''],
              apiVersions: ['v1'],
              resources: ['pods'],
              operations: ['CREATE'],
              scope: 'Namespaced',
            },
          ],
          // Costs nothing where it does not match.
          objectSelector: { matchExpressions: [{ key: LABELS.runUid, operator: 'Exists' }] },
        },
        mutations: [
          {
            patchType: 'JSONPatch',
            jsonPatch: {
              expression: `${isOperator(settings)} && has(object.metadata.managedFields) && !has(object.spec.schedulingGates) ? [JSONPatch{op: 'remove', path: '/metadata/managedFields'}] : []`,
            },
          },
        ],
      },
    },
    {
      apiVersion: API_VERSION,
      kind: 'MutatingAdmissionPolicyBinding',
      metadata: { name: NAME },
      spec: { policyName: NAME },
    },
  ];
}
