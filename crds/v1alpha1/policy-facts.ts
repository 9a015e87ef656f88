// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';

/** What rules may be told besides the request. */
export const POLICY_FACTS = ['Images'] as const;

/** What the rules of a pack are told besides the request, the tenant and the namespace. */
export const policyFacts = z
  .array(
    z
      .enum(POLICY_FACTS)
      .describe(
        'Images: what policies on images found out about those of the object, as input.images: who signed, provenance, components, vulnerabilities.',
      ),
  )
  .min(1)
  .max(4)
  .describe('What the rules are told besides. Each costs something with every request; absent: nothing.')
  .meta({ 'x-kubernetes-list-type': 'set' });
