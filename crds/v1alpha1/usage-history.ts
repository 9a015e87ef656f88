// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { WINDOWS } from './budgets.ts';
import { instant, int } from './meta.ts';
import { meteredAmounts, TIERS } from './run-usage.ts';

/** Windows that usage is added up in, with how many of each are kept. */
export const KEPT_WINDOWS = { minute: 1, hour: 24, day: 31, month: 13 } as const;

/** What is kept, and parts of windows that came late; ledgers of before hold up to 70. */
const MAX_WINDOWS = 80;

const count = (description: string) => int(description, 0, Number.MAX_SAFE_INTEGER);

const windowUse = z.object({
  window: z.enum(WINDOWS).describe('Length of the window, in UTC.'),
  start: instant('When it begins.'),
  attempts: count('Attempts that ended in it.'),
  amounts: meteredAmounts,
  reported: z
    .object({
      inputTokens: count('Tokens read by models.').optional(),
      outputTokens: count('Tokens written by models.').optional(),
      toolCalls: count('Calls of tools.').optional(),
      sandboxCalls: count('Calls of sandboxes.').optional(),
    })
    .describe('What the containers have reported.')
    .optional(),
});

const ledgerWindowUse = windowUse.extend({
  sealed: int(
    'Number among all that were sealed, once it is over: it never changes again, and leaves the ledger when the UsageRecord of the tenant has it. What ended in it and comes later is in another of the same start.',
    1,
    Number.MAX_SAFE_INTEGER,
  ).optional(),
});

const tierUse = z.object({
  tier: z.enum(TIERS).describe('Price tier.'),
  runUnits: meteredAmounts.shape.runUnits,
  cost: meteredAmounts.shape.cost,
});

/** What `status.usage` of a QuotaLedger is. */
export const usageHistory = z
  .object({
    windows: z
      .array(ledgerWindowUse)
      .max(MAX_WINDOWS)
      .describe(
        'What attempts have used that ended in a window; windows without any are left out. Those that are over are in the UsageRecord of the tenant.',
      )
      .meta({ 'x-kubernetes-list-type': 'atomic' }),
    tiers: z
      .array(tierUse)
      .max(TIERS.length)
      .describe('Run units and cost by price tier, since the ledger was made.')
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['tier'] }),
    lastSealed: count('Number of the window that was sealed last.').optional(),
  })
  .describe(
    'What the attempts of Runs have used: each is counted by the write that gives back its reservation.',
  );

/** What `spec.windows` of a UsageRecord is. */
export const recordedWindows = z
  .array(windowUse)
  .max(MAX_WINDOWS)
  .describe('What attempts have used that ended in a window, the newest of each length first.')
  .meta({ 'x-kubernetes-list-type': 'atomic' });

/** Usage of a tenant over time. */
export type UsageHistory = z.output<typeof usageHistory>;
/** Usage within one window. */
export type WindowUse = z.output<typeof windowUse>;
/** Usage within one window, as a ledger has it. */
export type LedgerWindowUse = z.output<typeof ledgerWindowUse>;
/** The length of a window. */
export type WindowName = WindowUse['window'];
