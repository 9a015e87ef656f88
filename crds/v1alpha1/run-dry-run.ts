// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { MAX_GANG_DEVICES, MAX_GANG_PODS } from './gang.ts';
import { dnsLabel, dnsSubdomain, int, quantities, text } from './meta.ts';

/** What `spec.dryRun` of a Run is. */
export const dryRun = z
  .boolean()
  .describe(
    'true starts nothing and takes nothing: status.dryRun says what would become of the Run if it were created now.',
  )
  .optional();

/** What `status.dryRun` of a Run is. */
export const dryRunStatus = z
  .object({
    phase: z
      .enum(['Queued', 'Admitted', 'Succeeded', 'Failed', 'Cancelled'])
      .describe('Where the Run would be: Admitted starts at once, Queued waits.'),
    reason: text('One word for programs: why it would be there.', 128),
    message: text('The same in words: what is missing, and what would help.', 4096),
    position: int('Place among the waiting Runs of the tenant, from 1.', 1, 1_000_000_000).optional(),
    reserves: quantities(
      "What it would take of the tenant's quota, by the keys that have a total.",
      96,
    ).optional(),
    gpu: z
      .object({ class: dnsLabel('GPU class.'), count: int('Devices.', 0, MAX_GANG_DEVICES) })
      .describe('Devices that it would hold.')
      .optional(),
    pods: int('Pods that it would have, where these are many.', 2, MAX_GANG_PODS).optional(),
    creates: z
      .array(
        z.object({
          kind: text('Kind.', 63),
          name: dnsSubdomain('Name.'),
          count: int(
            'How many, whose names end in -0, -1 and so on; the name is that of the first. Empty: one.',
            2,
            MAX_GANG_PODS,
          ).optional(),
        }),
      )
      .max(8)
      .describe('What would be made for it.')
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional(),
  })
  .describe('Only of a dry run: what would become of it.');

/** What is told of a dry run. */
export type DryRunStatus = z.output<typeof dryRunStatus>;
