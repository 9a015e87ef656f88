// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { labelSelector } from './label-selector.ts';
import { dnsLabel, instant, int, sha256, text } from './meta.ts';

const step = z.object({
  percent: int('Share of tenants, or of namespaces, that the new revision decides for.', 1, 100),
  soakSeconds: int('How long at least.', 0, 2_592_000).default(300),
  minSamples: int(
    'How many requests must have been judged by both revisions before. Of each tenant, a replica judges four a second at most, after the first 128; of each user three, after the first 96.',
    0,
    10_000_000,
  ).default(0),
});

/** What `spec.rollout` of a PolicyPack is. */
export const policyRollout = z
  .object({
    shadowSeconds: int(
      'How long at least a new revision is evaluated beside the active one, without effect, before it decides anything.',
      0,
      2_592_000,
    ).default(60),
    steps: z
      .array(step)
      .max(10)
      .describe('Cohorts, by growing percent. Empty: from shadow to all at once.')
      .meta({
        'x-kubernetes-list-type': 'atomic',
        'x-kubernetes-validations': [
          {
            rule: 'self.map(s, s.percent).isSorted() && self.all(s, self.exists_one(o, o.percent == s.percent))',
            message: 'percent must grow from step to step',
          },
        ],
      })
      .optional(),
    critical: labelSelector(
      'Namespaces that come last, whatever their share: when everybody else is through.',
    ).optional(),
    maxNewlyDeniedPercent: z
      .number()
      .min(0)
      .max(100)
      .default(5)
      .describe(
        'Share, in percent, of requests (and of objects that exist) that the new revision may deny and the active one allows.',
      ),
    maxNewlyAllowedPercent: z
      .number()
      .min(0)
      .max(100)
      .default(10)
      .describe('Share, in percent, of what the active revision denies that the new one may allow.'),
    maxErrorPercent: z
      .number()
      .min(0)
      .max(100)
      .default(1)
      .describe('Share of evaluations, in percent, that may fail.'),
    latencyBudgetMs: int('What 95 of 100 evaluations may take at most.', 1, 75).default(25),
    acknowledge: sha256(
      'Digest of `status.report`, written by who has read it and wants to go on.',
    ).optional(),
    promote: z
      .enum(['Auto', 'Manual'])
      .default('Auto')
      .describe('Manual: what has been verified waits in shadow until `promoteTo` names it.'),
    promoteTo: dnsLabel('PolicyPackRevision that may leave shadow, with promote: Manual.').optional(),
  })
  .describe('How a new revision comes to decide.');

/** Rollout of a pack that says nothing of it. */
export const DEFAULT_ROLLOUT = {
  shadowSeconds: 60,
  maxNewlyDeniedPercent: 5,
  maxNewlyAllowedPercent: 10,
  maxErrorPercent: 1,
  latencyBudgetMs: 25,
  promote: 'Auto',
} as const satisfies PolicyRollout;

const count = (description: string) => int(description, 0, Number.MAX_SAFE_INTEGER);

/** One object that two revisions judge differently. */
const example = z.object({
  kind: text('Kind of the object.', 128),
  namespace: text('Its namespace; empty for objects of the cluster.', 63).optional(),
  name: text('Its name.', 253),
  newly: z.enum(['Denied', 'Allowed']).describe('What the new revision says.'),
  message: text('In the words of the policy.', 512).optional(),
});

/** The most tenants that figures are told of apart. */
export const MAX_SHARES = 8;

/** What of the figures is one tenant's. */
const share = z.object({
  tenant: text('The tenant.', 63),
  bothDenied: count('Requests that both deny.').optional(),
  bothAllowed: count('Requests that both allow.').optional(),
  newlyDenied: count('Requests that only the new one denies.').optional(),
  newlyAllowed: count('Requests that only the new one allows.').optional(),
  errors: count('Evaluations of the new one that failed.').optional(),
  timeouts: count('Those that were ended at their deadline.').optional(),
  slow: count('Those that took longer than the budget.').optional(),
});

const figures = {
  tenants: count(
    'Tenants that the pack is about. With two or more of them, nothing undoes the new one that is seen in requests of one tenant alone.',
  ).optional(),
  byTenant: z
    .array(share)
    .max(MAX_SHARES)
    .describe('What of the figures is of the tenants for which the two differ most.')
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .optional(),
  bothDenied: count('Requests that both deny.').optional(),
  bothAllowed: count('Requests that both allow.').optional(),
  newlyDenied: count('Requests that only the new one denies.').optional(),
  newlyAllowed: count('Requests that only the new one allows.').optional(),
  errors: count('Evaluations of the new one that failed.').optional(),
  timeouts: count('Those that were ended at their deadline.').optional(),
  slow: count('Those that took longer than the budget.').optional(),
  protectedDenied: count(
    'Requests of Kubernetes, or of NexusOS itself, that the new one denies. Counted where the API server proves itself to the admission process.',
  ).optional(),
  p95Micros: count('What 95 of 100 evaluations of the new one took at most, in microseconds.').optional(),
  examples: z
    .array(example)
    .max(5)
    .describe('Some that differ.')
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .optional(),
};

/** Figures of two revisions on the same requests, as a replica counts them: by pack. */
export const replicaComparison = z.object({
  pack: text('The PolicyPack, as namespace/name.', 127),
  revision: text('The new revision.', 63),
  against: text('The active one. Empty: no policy.', 63).optional(),
  ...figures,
});

/** What `status.comparison` of a PolicyPack is. */
export const packComparison = z
  .object({
    revision: text('The new revision.', 63),
    against: text('The active one. Empty: no policy.', 63).optional(),
    ...figures,
  })
  .describe('How the new revision has judged, beside the active one, on the same requests.');

const bucket = z.object({
  name: text('Kind or namespace.', 128),
  newlyDenied: count('Objects that would be refused.'),
  newlyAllowed: count('Objects that would not be refused any more.'),
});
const MAX_BUCKETS = 20;

/** What `status.report` of a PolicyPack is. */
export const blastRadius = z
  .object({
    revision: text('The new revision.', 63),
    against: text('The active one. Empty: no policy.', 63).optional(),
    digest: sha256('Digest of the report; `spec.rollout.acknowledge` names it.'),
    scanned: count('Objects that were judged.'),
    total: count('Objects that the pack binds, where that is known.').optional(),
    complete: z
      .boolean()
      .describe(
        'false: there were more objects than there was time for, or the pack binds kinds that are never read where they exist, such as ConfigMaps.',
      ),
    newlyDenied: count('Objects that are allowed now and would be refused.'),
    newlyAllowed: count('Objects that are refused now and would be allowed.'),
    bothDenied: count('Objects that are refused now and would be.').optional(),
    byKind: z.array(bucket).max(MAX_BUCKETS).describe('By kind, most first.').optional(),
    byNamespace: z.array(bucket).max(MAX_BUCKETS).describe('By namespace, most first.').optional(),
    examples: z.array(example).max(20).describe('The first of them.').optional(),
    at: instant('When it was made.'),
  })
  .describe('What the new revision would do to what exists.');

/** How a rollout of a PolicyPack goes. */
export type PolicyRollout = z.output<typeof policyRollout>;
/** Figures of two revisions on the same requests. */
export type PolicyComparison = z.output<typeof packComparison>;
/** The same as one replica has counted them. */
export type ReplicaComparison = z.output<typeof replicaComparison>;
/** What of them is one tenant's. */
export type ComparisonShare = z.output<typeof share>;
/** What a new revision would do to what exists. */
export type BlastRadius = z.output<typeof blastRadius>;
