// SPDX-License-Identifier: Apache-2.0
import { GROUP } from '#crds/v1alpha1/names';
import { REPLICA_PREFIX } from '../policy/replica-name.ts';
import { type Cel, type Guardrail, type GuardrailSettings, quote } from './policy.ts';

const POD_NAME = quote('authentication.kubernetes.io/pod-name');
/** Where a token belongs to a pod, the API server says to which. */
const IS_OF_POD: Cel = `!has(request.userInfo.extra) || !(${POD_NAME} in request.userInfo.extra) || request.name in request.userInfo.extra[${POD_NAME}]`;

/**
 * Bounds the admission process. Each replica tells of itself in an object and a Lease under its own name, which RBAC cannot say: its role
 * reaches every Lease of the platform namespace, those that operators are elected by among them.
 */
export function replicaGuardrail({ webhookUser }: GuardrailSettings): readonly Guardrail[] {
  if (webhookUser === undefined) return [];
  const operations = ['CREATE', 'UPDATE', 'DELETE'] as const;
  return [
    {
      name: 'replica-objects',
      binds: 'elsewhere',
      conditions: { replica: `request.userInfo.username == ${quote(webhookUser)}` },
      match: [
        { apiGroups: ['coordination.k8s.io'], resources: ['leases'], operations, scope: 'Namespaced' },
        {
          apiGroups: [GROUP],
          resources: ['policyreplicas', 'policyreplicas/status'],
          operations,
          scope: 'Namespaced',
        },
      ],
      rules: [
        {
          field: 'metadata.name',
          holds: `request.name.startsWith(${quote(REPLICA_PREFIX)}) && (${IS_OF_POD})`,
          found: 'request.name',
          allowed: quote(`the name of the replica itself, which begins with ${REPLICA_PREFIX}`),
        },
      ],
    },
  ];
}
