// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { dnsSubdomain, notAbove, quantities } from './meta.ts';

/** Defaults and bounds of every container, applied by a LimitRange. */
export const containerDefaults = z
  .object({
    default: quantities('Limits of a container that states none.', 4).optional(),
    defaultRequest: quantities('Requests of a container that states none.', 4).optional(),
    max: quantities('Highest limits of one container.', 4).optional(),
    min: quantities('Lowest requests of one container.', 4).optional(),
  })
  .describe('Defaults and bounds of every container.')
  .meta({
    'x-kubernetes-validations': [
      notAbove('default', 'max'),
      notAbove('defaultRequest', 'default'),
      notAbove('defaultRequest', 'max'),
      notAbove('min', 'max'),
      notAbove('min', 'default'),
      notAbove('min', 'defaultRequest'),
    ],
  });

/** How far the tenant is kept from others on the nodes. */
export const isolation = z
  .object({
    tier: z
      .enum(['Soft', 'Hard'])
      .default('Soft')
      .describe('Soft: namespaces. Hard: also dedicated nodes and a sandbox RuntimeClass.'),
    runtimeClassName: dnsSubdomain('RuntimeClass of every pod. Needed for Hard.').optional(),
  })
  .describe('How far the tenant is kept from others on the nodes.')
  .meta({
    'x-kubernetes-validations': [
      {
        rule: "self.tier != 'Hard' || has(self.runtimeClassName)",
        message: 'tier Hard needs a runtimeClassName',
        fieldPath: '.runtimeClassName',
        reason: 'FieldValueRequired',
      },
    ],
  });

/** Pod Security Standard of the namespaces. */
export const podSecurity = z
  .object({
    enforce: z
      .enum(['baseline', 'restricted'])
      .default('restricted')
      .describe('Pods below this level are refused.'),
  })
  .describe('Pod Security Standard of the namespaces. Warnings and audit always use restricted.');
