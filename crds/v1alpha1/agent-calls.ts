// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import type { BUDGET_UNITS } from './budgets.ts';
import { dnsLabel, int, quantity } from './meta.ts';

/** The most levels of Runs below one that nobody has called. */
export const MAX_LEVELS = 8;
/** The most Runs below one that nobody has called, of one attempt of it. */
export const MAX_CALLS = 10_000;

/** What all Runs below one may use together: `spec.calls.budget` of Agents, `spec.callsBudget` of Runs. */
export const callsBudget = z
  .object({
    runUnits: quantity('Run units. Empty: none where the tenant has a budget of them, else any.').optional(),
    tokens: quantity(
      'Tokens of models, read and written. Empty: none where the tenant has a budget of them, else any.',
    ).optional(),
    cost: quantity(
      'Cost, in units of the platform currency. Empty: any, unless the tenant has a budget of it; then what the run units and tokens cost that are said here, if nothing else has a price, else none. Without a price it bounds nothing.',
    ).optional(),
  } satisfies Record<(typeof BUDGET_UNITS)[number], z.ZodType>)
  .describe(
    'What all Runs below an attempt of it may use together. It is reserved beside what the attempt itself reserves, and they reserve of this alone.',
  );

/** What `spec.calls` of an Agent is. */
export const calls = z
  .object({
    agents: z
      .array(dnsLabel('Name of an Agent in the same namespace.'))
      .min(1)
      .max(64)
      .describe('Agents that its Runs may call: Runs of these may name a Run of this one as their parent.')
      .meta({ 'x-kubernetes-list-type': 'set' }),
    maxDepth: int(
      'Levels of Runs that there may be below a Run of it. 1: those that it calls call nobody.',
      1,
      MAX_LEVELS,
    ).default(1),
    maxChildren: int(
      'Runs called by one Run of it that may be under way at one time; more of them wait.',
      1,
      1000,
    ).default(10),
    maxTotal: int(
      'Runs that there may be in all below one attempt of a Run of it that nobody has called; more of them are refused.',
      1,
      MAX_CALLS,
    ).default(100),
    budget: callsBudget.optional(),
  })
  .describe(
    'Whom its Runs may call. Their containers are given a token for that; without it they have none.',
  );

/** Who may call others: containers of Runs, to which the token is given. */
export const callsRule = {
  rule: "!has(self.calls) || (self.shape == 'job' && !has(self.gang))",
  message:
    'calls: found with another shape than job, or with gang; allowed with shape job and one pod: containers of its Runs call others',
};

/** What an Agent says of calls. */
export type AgentCalls = z.output<typeof calls>;
/** What Runs below one may use. */
export type CallsBudget = z.output<typeof callsBudget>;
