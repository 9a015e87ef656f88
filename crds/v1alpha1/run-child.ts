// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { dnsSubdomain, instant, text } from './meta.ts';

/** What `status.child` of a Run is. */
export const child = z
  .object({
    name: dnsSubdomain(
      'Its name: always the same for the same Run and attempt. Where there are many pods, the names of these begin so, and end in -0, -1 and so on.',
    ),
    uid: text('Its UID, once seen; of many pods that of the first, once all were seen.', 64).optional(),
    refusedAt: instant('Since when the API server refuses it, for other reasons than quota.').optional(),
  })
  .describe('The pod that carries out the Run.');
