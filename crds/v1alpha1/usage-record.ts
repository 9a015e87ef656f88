// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import type { KindDescriptor } from '../openapi/kind.ts';
import { AGE } from './columns.ts';
import { int, text } from './meta.ts';
import { GROUP, VERSION } from './names.ts';
import { recordedWindows } from './usage-history.ts';

const spec = z
  .object({
    tenantUID: text('UID of the Tenant whose usage it is.', 64),
    ledgerUID: text('UID of the QuotaLedger that it has these windows from.', 64),
    merged: int(
      'The number that its ledger has sealed the newest of these windows with: whatever the ledger has sealed with a number up to this is in here.',
      0,
      Number.MAX_SAFE_INTEGER,
    ),
    windows: recordedWindows,
  })
  .describe('What was used in hours, days and months that are over.');

/** The UsageRecord kind: what a tenant has used in windows that are over. Internal: made and written by NexusOS only. */
export const USAGE_RECORD = {
  group: GROUP,
  version: VERSION,
  kind: 'UsageRecord',
  plural: 'usagerecords',
  singular: 'usagerecord',
  shortNames: ['ur'],
  categories: ['nexusos'],
  scope: 'Cluster',
  description:
    'A UsageRecord is what a tenant has used in the hours, days and months that are over; those that are not are in its QuotaLedger. NexusOS makes and writes it, about once an hour; people only read it.',
  spec,
  rules: [],
  columns: [
    {
      name: 'Merged',
      type: 'integer',
      jsonPath: '.spec.merged',
      description: 'Windows that were taken over from the ledger, by number.',
    },
    AGE,
  ],
} as const satisfies KindDescriptor;

/** Spec of a UsageRecord. */
export type UsageRecordSpec = z.output<typeof spec>;
