// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import type { KindDescriptor } from '../openapi/kind.ts';
import { MAX_CALLS, MAX_LEVELS } from './agent-calls.ts';
import { budgets, WINDOWS } from './budgets.ts';
import { AGE, readyColumn, REASON } from './columns.ts';
import { MAX_GANG_DEVICES, MAX_GANG_PODS } from './gang.ts';
import {
  attempts,
  conditions,
  dnsLabel,
  instant,
  int,
  observedGeneration,
  quantities,
  text,
} from './meta.ts';
import { GROUP, VERSION } from './names.ts';
import { price } from './price.ts';
import { decimal } from './run-usage.ts';
import { PREEMPTIONS } from './tenant-quotas.ts';
import { usageHistory } from './usage-history.ts';

/**
 * The most Runs that one tenant can have admitted at one time. The ledger of a tenant is one object, and etcd takes
 * objects of up to 1.5 MiB; with many namespaces and very long names it is full earlier (`core/quota/ledger-size.ts`).
 */
export const MAX_RESERVATIONS = 3500;

/** The most idempotency keys that the ledger of a tenant remembers: it is written whole, so it has to stay small. */
export const MAX_KEYS = 2000;

/** The most Runs whose place one Run takes over. */
export const MAX_AWAITED = 32;

/** The most namespaces of a tenant times its native quotas, which leaves room in its ledger for Runs. */
export const MAX_GRANTED_AMOUNTS = 4096;

const gpuQuota = z.object({
  class: dnsLabel('Name of a GPUClass.'),
  count: int('Devices.', 0, 100_000),
});

const spec = z
  .object({
    tenantUID: text('UID of the Tenant that the ledger belongs to.', 64),
    suspended: z.boolean().default(false).describe('true: nothing new is admitted.'),
    hard: quantities('Total of each native quota, over all namespaces.', 96).optional(),
    gpus: z
      .array(gpuQuota)
      .max(32)
      .describe('Devices by class.')
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['class'] })
      .optional(),
    maxConcurrentRuns: int('Runs admitted at one time.', 0, 100_000).optional(),
    maxQueuedRuns: int('Runs that may wait.', 0, 1_000_000).optional(),
    createPerSecond: int('Runs that may start in a second, on average.', 1, 10_000).optional(),
    createBurst: int('Runs that may start at once.', 1, 100_000).optional(),
    priorityAgingSeconds: int(
      'Seconds of waiting that outweigh one point of priority.',
      0,
      86_400,
    ).optional(),
    preemption: z.enum(PREEMPTIONS).describe('Whom Runs may end. Empty: nobody.').optional(),
    budgets: budgets.optional(),
    price: price
      .describe(
        'What is paid for a million of each, in millionths of the currency. Runs keep what it was when they were admitted.',
      )
      .optional(),
    namespaces: z
      .array(dnsLabel('A namespace.'))
      .max(128)
      .describe('Namespaces that share the totals.')
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional(),
  })
  .describe('What the tenant may use, as its Tenant says.')
  // Written as a whole: by fields, a key that somebody else put there would be in force for good.
  .meta({ 'x-kubernetes-map-type': 'atomic' });

const serial = int('Number of a reservation, among all of the ledger.', 1, Number.MAX_SAFE_INTEGER);

const preemptedBy = z
  .object({
    namespace: dnsLabel('Its namespace.'),
    name: dnsLabel('Its name.'),
    priority: int('Its priority.', -1000, 1000),
  })
  .describe('Run of higher priority that takes over from this one, which is ended for it.');

const call = z
  .object({
    parent: text('UID of the Run that calls it.', 64),
    attempt: attempts('Attempt of that.', 1),
    root: text('UID of the Run above all.', 64),
    rootName: dnsLabel('Name of that.'),
    depth: int('Runs above it.', 1, MAX_LEVELS),
  })
  .describe('Of a Run that another one calls.');

const pool = z
  .object({
    runUnits: decimal('Run units.').optional(),
    tokens: decimal('Tokens.').optional(),
    cost: decimal('Cost.').optional(),
  })
  .describe('What it reserves for Runs below it, which reserve of that.');

const tree = z.object({
  uid: text('UID of the Run above all.', 64),
  namespace: dnsLabel('Its namespace.'),
  name: dnsLabel('Its name.'),
  attempt: attempts('Attempt of it that they belong to.', 1),
  calls: int('Runs below it that were started.', 0, MAX_CALLS),
  depth: int('The deepest level that there was.', 0, MAX_LEVELS),
  runUnits: decimal('Run units of their attempts that have ended.'),
  tokens: decimal('Tokens of these.'),
  cost: decimal('What these have cost. Empty: nothing.').optional(),
});

const reservation = z.object({
  uid: text('UID of the Run.', 64),
  namespace: dnsLabel('Namespace of the Run.'),
  name: dnsLabel('Name of the Run.'),
  agent: dnsLabel('Agent of the Run.'),
  gpuClass: dnsLabel('GPU class.').optional(),
  gpus: int('Devices, of all its pods together.', 1, MAX_GANG_DEVICES).optional(),
  pods: int('Pods of the Run. Empty: one.', 2, MAX_GANG_PODS).optional(),
  session: text('Digest of namespace, Agent and session.', 22).optional(),
  attempt: attempts('Attempt of the Run that it is for; given back when that one has ended.', 1),
  runUnits: decimal('Run units that it reserves of the budgets.').optional(),
  tokens: decimal('Tokens that it reserves of the budgets.').optional(),
  cost: decimal('Cost that it reserves of the budgets.').optional(),
  priced: text(
    'Digest of the price by which that was worked out: the Run starts at that one, or is reserved for anew.',
    8,
  ).optional(),
  levels: int('Levels of Runs that there may be below it, if any.', 1, MAX_LEVELS).optional(),
  call: call.optional(),
  pool: pool.optional(),
  overspent: z
    .enum([...WINDOWS, 'tree'])
    .describe(
      'Window whose budget of run units, or of cost, is used up, while the Run has used more than it had reserved: it is paused. tree: what the Run above all has reserved for those below is.',
    )
    .optional(),
  overspentUnit: z.enum(['cost']).describe('What that budget is in. Empty: run units.').optional(),
  revision: text(
    'End of the name of the AgentRevision that it was made for, where the Run is bound to none: the Run starts from that one, or is reserved for anew.',
    12,
  ).optional(),
  preemptedBy: preemptedBy.optional(),
  awaits: z
    .array(serial)
    .max(MAX_AWAITED)
    .describe(
      'Numbers of the reservations that it takes over from. The Run starts when they are given back, and quota is in its namespace: then this is left out.',
    )
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .optional(),
  serial: serial.describe('Number of the reservation, among all of the ledger.').optional(),
});

const key = z.object({
  key: text('Digest of namespace and idempotency key.', 22),
  body: text('Digest of what is fixed in the spec of its Run.', 22),
  namespace: dnsLabel('Namespace of its Run.'),
  name: dnsLabel('Name of its Run.'),
  uid: text('UID of its Run.', 64),
  seconds: int('How long it is remembered after the end of its Run.', 1, 604_800),
  phase: z
    .enum(['Succeeded', 'Failed', 'Cancelled'])
    .describe('How its Run ended, where that was seen.')
    .optional(),
  until: instant('Until when it is remembered, once its Run has ended or is gone.').optional(),
});

const grant = z.object({
  namespace: dnsLabel('A namespace.'),
  hard: quantities('What its ResourceQuota allows.', 96),
  revision: int('Grows with every change of hard.', 1, Number.MAX_SAFE_INTEGER),
  ceiling: quantities(
    'What it may still use until its ResourceQuota is seen to have given it back.',
    96,
  ).optional(),
});

const status = z
  .object({
    observedGeneration: observedGeneration().optional(),
    grants: z
      .array(grant)
      .max(128)
      .describe('How the totals are dealt out. Their sum never exceeds a total.')
      // As a map, each amount would cost an entry in managedFields as well.
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional(),
    reservations: z
      .array(reservation)
      .max(MAX_RESERVATIONS)
      .describe('Runs that hold quota.')
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional(),
    trees: z
      .array(tree)
      .max(MAX_RESERVATIONS)
      .describe('Runs that have called others: what those have used, until the Run above them tells it.')
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional(),
    keys: z
      .array(key)
      .max(MAX_KEYS)
      .describe('Idempotency keys of Runs that were started.')
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional(),
    startDueMicros: int(
      'When the next Run is due at the rate of createPerSecond, in microseconds since 1970; it may come before that by what createBurst allows.',
      0,
      Number.MAX_SAFE_INTEGER,
    ).optional(),
    lastSerial: int('Number of the last reservation.', 0, Number.MAX_SAFE_INTEGER).optional(),
    usage: usageHistory.optional(),
    conditions: conditions('Ready; Reconciling and Stalled only while true.').optional(),
  })
  .describe(
    'Who holds what. Written under optimistic concurrency, so that two writers cannot both hand out the last of it.',
  )
  // Written as a whole as well: by fields, it would cost an entry in managedFields for each condition and window.
  .meta({ 'x-kubernetes-map-type': 'atomic' });

/** Reasons of QuotaLedger conditions, each with its meaning. */
export const LEDGER_REASONS = {
  /** Grants and reservations are as wanted. */
  Balanced: 'Balanced',
  /** A namespace gives back quota before another can have it. */
  Rebalancing: 'Rebalancing',
  /** More is in use than is allowed since the quota was lowered; nothing is taken away. */
  OverCommitted: 'OverCommitted',
  /** The API server refuses a ResourceQuota. */
  WriteRefused: 'WriteRefused',
  /** The spec does not parse. */
  InvalidSpec: 'InvalidSpec',
} as const;

/** The QuotaLedger kind: who holds how much of a tenant's quota. Internal: made and written by NexusOS only. */
export const QUOTA_LEDGER = {
  group: GROUP,
  version: VERSION,
  kind: 'QuotaLedger',
  plural: 'quotaledgers',
  singular: 'quotaledger',
  shortNames: ['ql'],
  categories: ['nexusos'],
  scope: 'Cluster',
  description:
    "A QuotaLedger records who holds how much of a tenant's quota. NexusOS makes and writes it; people only read it.",
  spec,
  status,
  rules: [],
  columns: [readyColumn('Balanced.'), REASON, AGE],
} as const satisfies KindDescriptor;

/** Spec of a QuotaLedger after defaulting. */
export type QuotaLedgerSpec = z.output<typeof spec>;
/** Status of a QuotaLedger. */
export type QuotaLedgerStatus = z.output<typeof status>;
/** One Run that holds quota. */
export type Reservation = z.output<typeof reservation>;
/** Place of a Run that holds quota among those that call each other. */
export type ReservedCall = z.output<typeof call>;
/** What Runs below one have used. */
export type TreeRecord = z.output<typeof tree>;
/** Who takes over from a Run. */
export type Preemptor = z.output<typeof preemptedBy>;
/** An idempotency key, and the Run that has it. */
export type KeyRecord = z.output<typeof key>;
/** What one namespace may use. */
export type Grant = z.output<typeof grant>;
