// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { int } from './meta.ts';

/** What has a price: run units, and what containers report. */
export const PRICED = ['runUnits', 'inputTokens', 'outputTokens', 'toolCalls', 'sandboxCalls'] as const;

/** The name of a currency: that of ISO 4217, or one of the platform's own. */
export const CURRENCY = /^[A-Z][A-Z0-9]{2,9}$/;

const micros = (what: string) =>
  int(`Of a million ${what}. Empty: they cost nothing.`, 0, Number.MAX_SAFE_INTEGER).optional();

/** What a tenant pays. */
export const price = z
  .object({
    currency: z.string().max(10).regex(CURRENCY).describe('Currency of the platform.'),
    runUnits: micros('run units'),
    inputTokens: micros('tokens that models have read'),
    outputTokens: micros('tokens that models have written'),
    toolCalls: micros('calls of tools, beside the run units that they cost'),
    sandboxCalls: micros('calls of sandboxes, beside the run units that they cost'),
  })
  .describe('Price of a million of each, in millionths of the currency.');

/** What a tenant pays for a million of each, in millionths of a currency. */
export type Price = z.output<typeof price>;
/** What has a price. */
export type PricedUnit = (typeof PRICED)[number];
