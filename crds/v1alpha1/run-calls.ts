// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import type { CelRule, PrinterColumn } from '../openapi/kind.ts';
import { MAX_CALLS, MAX_LEVELS } from './agent-calls.ts';
import { attempts, dnsLabel, instant, int, text } from './meta.ts';
import { decimal } from './run-usage.ts';

/** What `spec.parentRef` of a Run is. */
export const parentRef = z
  .object({
    name: dnsLabel('Name of a Run in the same namespace.'),
    uid: text('Its UID.', 64).min(1),
    pod: dnsLabel(
      'Pod of the attempt that calls, as NEXUSOS_POD tells it. Empty: whichever attempt is under way. Who calls with the token of a pod has to name that pod.',
    ).optional(),
  })
  .describe(
    'Run that calls this one. This one starts while an attempt of that is under way, and is ended with it. The object names it as an owner, too.',
  );

/** What `status.call` of a Run is. */
export const callStatus = z
  .object({
    depth: int('Runs above it: 0 for one that nobody has called.', 0, MAX_LEVELS),
    levels: int('Levels of Runs that there may be below it.', 0, MAX_LEVELS),
    attempt: attempts('Attempt of its parent that it belongs to.', 1).optional(),
    root: z
      .object({ name: dnsLabel('Its name.'), uid: text('Its UID.', 64) })
      .describe('The Run above all, which nobody has called: it has reserved what they all use.')
      .optional(),
  })
  .describe('Its place among Runs that call each other, fixed at its admission.');

const count = (description: string) => int(description, 0, 1_000_000);

const treeAmounts = z.object({
  limit: decimal('What was reserved for Runs below; empty: not limited.').optional(),
  used: decimal('What those have used whose attempts have ended.'),
  reserved: decimal('What those reserve that are under way.'),
  left: decimal('What is left of the limit for more of them.').optional(),
});

/** What `status.tree` of a Run is. */
export const treeStatus = z
  .object({
    attempt: attempts('Attempt of the Run that this is about.', 1),
    calls: int('Runs that were started below it.', 0, MAX_CALLS),
    depth: int('The deepest level that there was below it.', 0, MAX_LEVELS),
    queued: count('Runs below it that wait; of those that are still there.'),
    active: count('Runs below it that are admitted, or run.'),
    succeeded: count('Runs below it that have succeeded.'),
    failed: count('Runs below it that have failed.'),
    cancelled: count('Runs below it that were cancelled.'),
    runUnits: treeAmounts.describe('Run units.'),
    tokens: treeAmounts.describe('Tokens.'),
    cost: treeAmounts.describe('Cost. Empty: nobody pays.').optional(),
    updatedAt: instant('When this was written: every few seconds at most.'),
  })
  .describe('Of a Run that nobody has called, and that calls others: the Runs below it.');

/** What a Run cannot say that another one calls. */
export const PARENT_RULES: readonly CelRule[] = [
  {
    rule: '!has(self.parentRef) || !has(self.session)',
    message: 'session: found with parentRef; a Run that another one calls is of no session',
    fieldPath: '.session',
  },
  {
    rule: '!has(self.parentRef) || !has(self.callsBudget)',
    message: 'callsBudget: found with parentRef; Runs share what the one above all has reserved',
    fieldPath: '.callsBudget',
  },
];

/** What Runs can be selected by. */
export const RUN_FIELDS = [
  '.spec.agentRef.name',
  '.spec.parentRef.name',
  '.spec.parentRef.uid',
  '.spec.revision',
  '.status.phase',
  '.status.revision.name',
] as const;

/** Columns of Runs that tell of it. */
export const CALL_COLUMNS = [
  {
    name: 'Parent',
    type: 'string',
    jsonPath: '.spec.parentRef.name',
    description: 'Run that calls it.',
    priority: 1,
  },
  {
    name: 'Depth',
    type: 'integer',
    jsonPath: '.status.call.depth',
    description: 'Runs above it.',
    priority: 1,
  },
] as const satisfies readonly PrinterColumn[];

/** Reasons of Runs that call each other, each with its meaning. */
export const RUN_CALL_REASONS = {
  /** Refused: there is no such Run as the one that it names as its parent. */
  ParentNotFound: 'ParentNotFound',
  /** Refused: the Run that it names as its parent has not started. */
  ParentNotRunning: 'ParentNotRunning',
  /** Cancelled: the attempt of the Run that has called it is over. */
  ParentEnded: 'ParentEnded',
  /** Refused: the Agent of its parent may not call its Agent. */
  CallNotAllowed: 'CallNotAllowed',
  /** Refused: there may be no more levels of Runs that call each other. */
  CallTooDeep: 'CallTooDeep',
  /** Refused: so many Runs were called in all as may be. */
  TooManyCalls: 'TooManyCalls',
  /** Waits: its parent has called so many others as may be under way at one time. */
  TooManyChildren: 'TooManyChildren',
  /** Waits: what is left for Runs that call each other is reserved by others of them. */
  TreeBudgetReserved: 'TreeBudgetReserved',
  /** Refused: too little is left of what is reserved for Runs that call each other. Or paused, for having used it up. */
  TreeBudgetExhausted: 'TreeBudgetExhausted',
  /** Waits: Runs that its last attempt has called have not ended yet. */
  ChildrenEnding: 'ChildrenEnding',
} as const;

/** Who calls a Run. */
export type ParentRef = z.output<typeof parentRef>;
/** Place of a Run among those that call each other. */
export type CallStatus = z.output<typeof callStatus>;
/** The Runs below one. */
export type TreeStatus = z.output<typeof treeStatus>;
