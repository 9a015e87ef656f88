// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { MAX_GANG_PODS } from './gang.ts';
import { attempts, dnsLabel, instant, int, text } from './meta.ts';
import { price } from './price.ts';
import { reportedUsage } from './run-result.ts';

/** Price tiers of Agents. */
export const TIERS = ['standard', 'heavy', 'ultra'] as const;

/** How the end of a container is known. */
export const BASES = ['ContainerStatus', 'Observed'] as const;

/** Attempts of a Run that are told apart. Those before are in the total only. */
export const MAX_METERED_ATTEMPTS = 8;

/**
 * Containers whose times are kept, over these attempts: of Runs of many pods fewer attempts are told apart, so that a Run stays small.
 * The last attempt is kept in any case.
 */
export const MAX_METERED_PODS = 2 * MAX_GANG_PODS;

/** The most that anything in a price is multiplied by, in percent. */
const MAX_PERCENT = 100_000;

/** A decimal that is not negative, with up to six places. */
export function decimal(description: string) {
  return z
    .string()
    .max(48)
    .regex(/^(0|[1-9][0-9]{0,39})([.][0-9]{1,6})?$/)
    .describe(description);
}

const rate = z
  .object({
    formula: int('Version of the formula that amounts are worked out by.', 1, 1000),
    tier: z.enum(TIERS).describe('Price tier of the Agent.'),
    tierPercent: int('What the tier multiplies by, in percent.', 1, MAX_PERCENT),
    cpuMillicores: int(
      'Processor that its pod reserves, in thousandths of a core.',
      0,
      Number.MAX_SAFE_INTEGER,
    ),
    memoryBytes: int('Memory that its pod reserves.', 0, Number.MAX_SAFE_INTEGER),
    gpu: z
      .object({
        class: dnsLabel('GPU class.'),
        count: int('Devices.', 1, 64),
        parts: int('Parts of a card that one device is.', 1, 1024),
        of: int('Parts that a card has.', 1, 1024),
        multiplierPercent: int('Price of a second of a card, in percent.', 1, MAX_PERCENT),
      })
      .describe('Devices that its pod reserves.')
      .optional(),
    pods: int('Pods of the attempt, each of which reserves that. Empty: one.', 2, MAX_GANG_PODS).optional(),
    maxSeconds: int(
      'No more seconds than this are counted of each: timeout, and time to end.',
      1,
      10_000_000,
    ),
    price: price.optional(),
  })
  .describe('What an attempt is charged by. Fixed when it is admitted.');

const reservation = int(
  'Number of the reservation that it was admitted by; it is given back by the write that counts the attempt.',
  1,
  Number.MAX_SAFE_INTEGER,
);

const podUse = z.object({
  uid: text('UID of the pod; empty where it was gone before it was seen to end.', 64),
  startedAt: instant('When its container started.'),
  finishedAt: instant('When it ended.'),
  basis: z
    .enum(BASES)
    .describe(
      'ContainerStatus: both as the status of the container says. Observed: the end was not told, and is no later than this.',
    ),
  reported: reportedUsage.optional(),
});

const podUses = z
  .array(podUse)
  .max(MAX_GANG_PODS)
  .describe('The time of its container, or of those of its pods that had one. None: it did not start.')
  .meta({ 'x-kubernetes-list-type': 'atomic' });

/** What is metered of attempts. */
export const meteredAmounts = z
  .object({
    cpuSeconds: decimal('Cores reserved, times seconds.'),
    memoryByteSeconds: decimal('Bytes of memory reserved, times seconds.'),
    gpuSeconds: decimal('Cards, or parts of them, reserved, times seconds. Empty: none.').optional(),
    runUnits: decimal('Run units.'),
    cost: decimal(
      'Cost, in units of the platform currency, of what had a price when it was admitted. Empty: none had one, or it came to nothing.',
    ).optional(),
  })
  .describe('Decimals with up to six places, exact.');

const meteredAttempt = z.object({
  attempt: attempts('Number of the attempt.', 1),
  settledAt: instant('When it was settled.'),
  reservation: reservation.optional(),
  rate,
  pods: podUses,
  runUnits: decimal('Run units that follow. Empty: as rate and pods say.').optional(),
  // Operators of v0 before ADR 0056 write it, and fail on what they have settled where it is pruned: it goes with the version after.
  amounts: meteredAmounts.optional().describe('Not written any more, and not read.'),
});

/** What `status.usage` of a Run is. */
export const runUsage = z
  .object({
    reported: reportedUsage.optional(),
    open: z
      .object({ rate, reservation: reservation.optional() })
      .describe('Only while an attempt holds quota: what it will be settled by.')
      .optional(),
    attempts: z
      .array(meteredAttempt)
      .max(MAX_METERED_ATTEMPTS)
      .describe(
        'The last attempts that have ended: the facts, from which all amounts follow, and what each came to.',
      )
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional(),
    total: meteredAmounts.optional(),
  })
  .describe('What the Run has used.');

/** What an attempt is charged by. */
export type Rate = z.output<typeof rate>;
/** The time of one container. */
export type PodUse = z.output<typeof podUse>;
/** Amounts as the API writes them. */
export type MeteredAmounts = z.output<typeof meteredAmounts>;
/** One attempt that was settled. */
export type MeteredAttempt = z.output<typeof meteredAttempt>;
/** Usage of a Run. */
export type RunUsage = z.output<typeof runUsage>;
