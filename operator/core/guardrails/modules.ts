// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import { CHUNK_PREFIX } from '../policy-pack/revision.ts';
import { labelsOf } from './marks.ts';
import { type Cel, type Guardrail, type GuardrailSettings, isTrusted, quote } from './policy.ts';

const IS_MARKED: Cel = ['object', 'oldObject']
  .map((object) => `${quote(LABELS.packUid)} in ${labelsOf(object)}`)
  .join(' || ');

/**
 * ConfigMaps that modules of packs are kept in are written by NexusOS alone. Whoever loads one checks its digest; but what has been changed could
 * not be loaded any more.
 */
export function moduleGuardrail(settings: GuardrailSettings): Guardrail {
  return {
    name: 'policy-modules',
    match: [
      {
        apiGroups: [''],
        resources: ['configmaps'],
        operations: ['CREATE', 'UPDATE', 'DELETE'],
        scope: 'Namespaced',
      },
    ],
    conditions: {
      platform: `request.namespace == ${quote(settings.platformNamespace)}`,
      module: `request.name.startsWith(${quote(CHUNK_PREFIX)}) || ${IS_MARKED}`,
      untrusted: `!(${isTrusted(settings)})`,
    },
    binds: 'elsewhere',
    rules: [
      {
        field: 'request',
        holds: 'false',
        found: "'a change of ConfigMap ' + request.name",
        allowed: quote('reading: only NexusOS writes modules of packs'),
      },
    ],
  };
}
