// SPDX-License-Identifier: Apache-2.0
import { GROUP } from '#crds/v1alpha1/names';
import { type Guardrail, type GuardrailSettings, isTrusted, quote } from './policy.ts';

/** Of the Leases by which operators elect who writes: their names begin so. */
const OPERATOR_LEASES = 'nexusos-operator';

/** The admission process tells by a Lease that it is alive, and RBAC cannot tell that from the Leases of the operator. */
export function leaseGuardrail({ webhookUser = '' }: GuardrailSettings): Guardrail {
  const name = "(request.name != '' ? request.name : object.metadata.name)";
  return {
    name: 'webhook-leases',
    binds: 'cluster',
    match: [
      {
        apiGroups: ['coordination.k8s.io'],
        resources: ['leases'],
        operations: ['CREATE', 'UPDATE', 'DELETE'],
        scope: 'Namespaced',
      },
    ],
    conditions: { webhooks: `request.userInfo.username == ${quote(webhookUser)}` },
    rules: [
      {
        field: 'metadata.name',
        holds: `!${name}.startsWith(${quote(OPERATOR_LEASES)})`,
        found: name,
        allowed: quote(`names that do not start with ${OPERATOR_LEASES}`),
      },
    ],
  };
}

/**
 * What replicas of the admission process say of themselves decides when a PolicyPack counts as enforced, and which version of it is given up: nobody
 * else says it for them.
 */
export function replicaGuardrail(settings: GuardrailSettings): Guardrail {
  const { platformNamespace, webhookUser = '' } = settings;
  const [user, namespace] = [quote(webhookUser), quote(platformNamespace)];
  return {
    name: 'policy-replicas',
    binds: 'cluster',
    match: [
      {
        apiGroups: [GROUP],
        resources: ['policyreplicas', 'policyreplicas/*'],
        operations: ['CREATE', 'UPDATE', 'DELETE'],
        scope: 'Namespaced',
      },
    ],
    conditions: { untrusted: `!(${isTrusted(settings)})` },
    rules: [
      {
        field: 'metadata',
        holds: `request.userInfo.username == ${user} && request.namespace == ${namespace}`,
        found: "request.userInfo.username + ', in ' + request.namespace",
        allowed: quote('the admission process alone, in the namespace of the platform'),
      },
    ],
  };
}
