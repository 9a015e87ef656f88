// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { quantity } from './meta.ts';

/** Windows that budgets hold for, the shortest first. */
export const WINDOWS = ['minute', 'hour', 'day', 'month'] as const;

/** What budgets are in that are enforced. */
export const BUDGET_UNITS = ['runUnits', 'tokens', 'cost'] as const;

/** Those that an attempt uses by its time alone, so that what it has come to is known while it runs. */
export const TIMED_UNITS = ['runUnits', 'cost'] as const satisfies readonly (typeof BUDGET_UNITS)[number][];

const limit = z
  .object({
    unit: z.enum(BUDGET_UNITS).describe('What is limited.'),
    window: z.enum(WINDOWS).describe('Window that the limit holds for, in UTC.'),
    limit: quantity('At most this much in one window.'),
  })
  .describe('A budget.');

/** What `spec.budgets` of a QuotaLedger is. */
export const budgets = z
  .array(limit)
  .max(WINDOWS.length * BUDGET_UNITS.length)
  .describe('What may be used in a window.')
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['unit', 'window'] });

/** What a Run is expected to use: `spec.estimate` of Agents and Runs. */
export const estimate = z
  .object({
    runUnits: quantity(
      'Run units of one attempt. Empty: what it costs when it takes all of its timeout.',
    ).optional(),
    tokens: quantity('Tokens of models, read and written, of one attempt. Empty: none.').optional(),
    cost: quantity(
      'Cost of one attempt, in units of the platform currency. Empty: what the run units and tokens cost that it is expected to use.',
    ).optional(),
  })
  .describe('What is reserved of the budgets of the tenant when a Run is admitted, until its use is known.');

/** A budget as a ledger has it. */
export type BudgetLimit = z.output<typeof limit>;
/** What budgets are in. */
export type BudgetUnit = BudgetLimit['unit'];
/** What budgets are in that an attempt uses by its time. */
export type TimedUnit = (typeof TIMED_UNITS)[number];
/** The window of a budget. */
export type BudgetWindow = BudgetLimit['window'];
/** What a Run is expected to use. */
export type Estimate = z.output<typeof estimate>;
