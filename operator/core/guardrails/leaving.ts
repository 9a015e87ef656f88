// SPDX-License-Identifier: Apache-2.0
import { isUnchanged } from './marks.ts';
import { type Guardrail, type GuardrailSettings, isTrusted, quote, type Rule } from './policy.ts';

/**
 * Bounds what is changed in a namespace that goes. Its parameters go before what finalizers hold, and a change is not judged
 * without them: so who holds a Service and a way in could give that Service the addresses of others. What goes can still be
 * let go, since that changes the metadata alone.
 */
export function leavingGuardrail(settings: GuardrailSettings): Guardrail {
  return {
    name: 'leaving',
    match: [
      { apiGroups: [''], resources: ['services'], operations: ['UPDATE'] },
      { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], operations: ['UPDATE'] },
      { apiGroups: ['rbac.authorization.k8s.io'], resources: ['rolebindings'], operations: ['UPDATE'] },
    ],
    conditions: { untrusted: `!(${isTrusted(settings)})` },
    variables: { isLeaving: 'has(namespaceObject.metadata.deletionTimestamp)' },
    binds: 'namespaces',
    rules: [unchanged('spec'), unchanged('subjects')],
  };
}

function unchanged(field: string): Rule {
  return {
    field,
    holds: `!variables.isLeaving || (${isUnchanged(field)})`,
    found: "'a change in namespace ' + request.namespace + ', which is being deleted'",
    allowed: quote('removal of finalizers, and deletion'),
  };
}
