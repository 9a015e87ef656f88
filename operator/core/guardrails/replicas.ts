// SPDX-License-Identifier: Apache-2.0
import { GROUP } from '#crds/v1alpha1/names';
import { type Guardrail, type GuardrailSettings, isTrusted, quote } from './policy.ts';

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
