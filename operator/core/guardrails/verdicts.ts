// SPDX-License-Identifier: Apache-2.0
import { SIGNING_SECRET, VERDICT_KEYS } from '../images/works.ts';
import { type Guardrail, type GuardrailSettings, isTrusted, quote } from './policy.ts';

/** Whoever could say which keys count could say what every image is. */
export function verdictKeyGuardrail(settings: GuardrailSettings): Guardrail {
  return {
    name: 'verdict-keys',
    binds: 'cluster',
    match: [
      {
        apiGroups: [''],
        resources: ['configmaps', 'secrets'],
        operations: ['CREATE', 'UPDATE', 'DELETE'],
        scope: 'Namespaced',
      },
    ],
    conditions: {
      platform: `request.namespace == ${quote(settings.platformNamespace)}`,
      key: `(request.name != '' ? request.name : object.metadata.name) in [${quote(SIGNING_SECRET)}, ${quote(VERDICT_KEYS)}]`,
      untrusted: `!(${isTrusted(settings)})`,
    },
    rules: [
      {
        field: 'request',
        holds: 'false',
        found: "'a change of ' + request.resource.resource + ' ' + request.name",
        allowed: quote(
          'reading: only NexusOS writes keys of verdicts, and the platform may delete them to have new ones',
        ),
      },
    ],
  };
}
