// SPDX-License-Identifier: Apache-2.0
import { type Guardrail, type GuardrailSettings, isTrusted, quote } from './policy.ts';

/** Bounds claims on storage: a volume that was released by one tenant must not be had by naming it. */
export function volumeClaimGuardrail(settings: GuardrailSettings): Guardrail {
  return {
    name: 'volumeclaims',
    match: [{ apiGroups: [''], resources: ['persistentvolumeclaims'], operations: ['CREATE', 'UPDATE'] }],
    // The binder of Kubernetes writes the same field later; what controllers create follows tenants' templates.
    conditions: {
      untrusted: `!(${isTrusted(settings)}) || (request.operation == 'CREATE' && request.userInfo.username.startsWith('system:serviceaccount:kube-system:'))`,
      changed: "request.operation == 'CREATE' || object.spec != oldObject.spec",
    },
    binds: 'tenant',
    rules: [
      {
        field: 'spec.volumeName',
        holds:
          "!has(object.spec.volumeName) || object.spec.volumeName == '' || (request.operation == 'UPDATE' && has(oldObject.spec.volumeName) && oldObject.spec.volumeName == object.spec.volumeName)",
        found: 'object.spec.volumeName',
        allowed: quote('not set: Kubernetes finds or makes the volume'),
      },
      {
        field: 'spec.dataSourceRef.namespace',
        holds:
          "!has(object.spec.dataSourceRef) || !has(object.spec.dataSourceRef.namespace) || object.spec.dataSourceRef.namespace in ['', request.namespace]",
        found: 'object.spec.dataSourceRef.namespace',
        allowed: 'request.namespace',
      },
    ],
  };
}
