// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { text } from './meta.ts';
import { MAX_USER_LENGTH } from './run-approval.ts';

/** The decision of a second person on an object of this kind, by its plural: what they need the verb `approve` on. */
export const decisionOn = (plural: string) =>
  z
    .object({
      decision: z.enum(['Approved', 'Rejected']).describe('Whether it counts.'),
      by: text(
        'User name of who decided: the API server accepts no other, and fills it in from Kubernetes 1.36 on.',
        MAX_USER_LENGTH,
      ).optional(),
      reason: text('Why, for people.', 1024).optional(),
    })
    .describe(
      `The decision on it, by somebody else than who asked for it, with the verb approve on ${plural}. Written once. Without, it does not count.`,
    );
