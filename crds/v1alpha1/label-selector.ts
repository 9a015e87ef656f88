// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { stringMap, text } from './meta.ts';

const requirement = z
  .object({
    key: text('Label key.', 316).min(1),
    operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']).describe('How the value is compared.'),
    values: z.array(text('A value.', 63)).max(32).describe('Values, for In and NotIn.').optional(),
  })
  .meta({
    'x-kubernetes-validations': [
      {
        rule: "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
        message: 'values are needed for In and NotIn, and not allowed for Exists and DoesNotExist',
        fieldPath: '.values',
      },
    ],
  });

/** A selector by labels, as Kubernetes writes it: all that it names must hold; an empty one selects everything. */
export function labelSelector(description: string) {
  return z
    .object({
      matchLabels: stringMap('Labels that must be there with these values.', 16).optional(),
      matchExpressions: z.array(requirement).max(16).describe('What must hold beside.').optional(),
    })
    .describe(description);
}

/** A selector by labels. */
export type LabelSelector = z.output<ReturnType<typeof labelSelector>>;
