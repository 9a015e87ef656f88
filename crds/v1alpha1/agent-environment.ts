// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { keyRef, text } from './meta.ts';

/** A key as `keyRef` has it, which need not be there. */
function keyOf(kind: 'ConfigMap' | 'Secret', what: string) {
  const optional = z
    .boolean()
    .describe(`true: without the ${kind}, or the key, the container starts without the variable.`)
    .optional();
  return keyRef(kind, what).extend({ optional }).describe(what);
}

const valueFrom = z
  .object({
    secretKeyRef: keyOf('Secret', 'The value is a key of a Secret. NexusOS does not read it.').optional(),
    configMapKeyRef: keyOf('ConfigMap', 'The value is a key of a ConfigMap.').optional(),
  })
  .describe('Where the node takes the value from, whenever it starts the container.')
  .meta({
    'x-kubernetes-validations': [
      {
        rule: 'has(self.secretKeyRef) != has(self.configMapKeyRef)',
        message: 'valueFrom: exactly one of secretKeyRef and configMapKeyRef is set',
      },
    ],
  });

const variable = z
  .object({
    name: z
      .string()
      .min(1)
      .max(253)
      .regex(/^[A-Za-z_][A-Za-z0-9_.-]*$/)
      .describe('Name of the variable.'),
    value: text('Value of the variable. Not for secrets: those go under valueFrom.', 8192).optional(),
    valueFrom: valueFrom.optional(),
  })
  .meta({
    'x-kubernetes-validations': [
      {
        rule: '!(has(self.value) && has(self.valueFrom))',
        message: 'at most one of value and valueFrom is set',
      },
    ],
  });

/** What `spec.container.env` of an Agent is: variables in the words of Kubernetes. */
export const environment = z
  .array(variable)
  .max(128)
  .describe('Environment.')
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] });
