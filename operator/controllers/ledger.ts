// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import {
  LEDGER_REASONS,
  QUOTA_LEDGER,
  type QuotaLedgerStatus,
  type Reservation,
} from '#crds/v1alpha1/quota-ledger';
import type { KubeObject } from '../core/object.ts';
import { statusOnly } from '../core/plan.ts';
import { type Leftover, type LedgerObserved, planLedger, type Vanished } from '../core/quota/ledger.ts';
import { RESOURCE_QUOTA_NAME } from '../core/quota/refusals.ts';
import { childName } from '../core/run/run.ts';
import type { Ledger } from '../core/tenant/tenant.ts';
import type { Controller, Key, PolicyRule, Reader, Watch } from '../runtime/controller.ts';
import { parseWith } from '../runtime/controller.ts';
import {
  AGENTS,
  GPU_CLASSES,
  NAMESPACES,
  QUOTA_LEDGERS,
  RESOURCE_QUOTAS,
  RUNS,
  TENANTS,
} from './shared/resources.ts';
import { seeLedger } from './shared/tenant-queue.ts';
import {
  JOBS,
  ledgerOfObject,
  namespacesOf,
  podsOf,
  watchFailedCreates,
  watchJobs,
  watchPods,
} from './shared/workloads.ts';

/**
 * A ledger is not decided on more often than this. What happens in between is decided together, so that a busy tenant
 * costs few writes of its ledger and not one or two for each Run.
 */
const PASS_INTERVAL_MS = 50;

/** What was seen of a ledger, unless it is too soon to look. */
export type LedgerView =
  | { readonly kind: 'tooSoon'; readonly afterMs: number }
  | { readonly kind: 'seen'; readonly observed: LedgerObserved };

/** The controller of QuotaLedgers: quota of namespaces, and which Runs are admitted. */
export function ledgerController(): Controller<Ledger, LedgerView, QuotaLedgerStatus | undefined> {
  const lastPassMs = new Map<string, number>();
  return {
    name: 'ledger',
    resource: QUOTA_LEDGERS,
    watches: WATCHES,
    rbac: RBAC,
    parse: parseWith(z.object({ spec: QUOTA_LEDGER.spec })),
    group: (ledger) => ledger.metadata.name,
    // Moving quota is everyday work.
    tells: ({ type, reason }) => type === 'Warning' || reason === LEDGER_REASONS.OverCommitted,
    async observe(ledger, read) {
      const nowMs = performance.now();
      const sinceMs = nowMs - (lastPassMs.get(ledger.metadata.name) ?? -Infinity);
      if (sinceMs < PASS_INTERVAL_MS) return { kind: 'tooSoon', afterMs: PASS_INTERVAL_MS - sinceMs };
      lastPassMs.set(ledger.metadata.name, nowMs);
      return { kind: 'seen', observed: await observe(ledger, read) };
    },
    plan(ledger, view, now) {
      if (view.kind === 'seen') return planLedger(ledger, view.observed, now);
      const { afterMs } = view;
      return statusOnly(ledger.status, { kind: 'requeueAfter', afterMs, why: 'to decide on more at once' });
    },
  };
}

const WATCHES: readonly Watch[] = [
  { resource: RUNS, keys: ledgerOfObject },
  { resource: AGENTS, keys: ledgerOfObject },
  { resource: TENANTS, keys: (tenant) => [{ name: tenant.metadata.name }] },
  { resource: GPU_CLASSES, keys: ledgersOfClass },
  { resource: NAMESPACES, keys: ledgerOfNamespace },
  {
    resource: RESOURCE_QUOTAS,
    labelSelector: `${LABELS.managedBy}=${MANAGED_BY}`,
    keys: ledgerOfObject,
  },
  watchJobs(ledgerOfObject),
  watchPods(ledgerOfObject),
  watchFailedCreates(ledgerOfObject),
];

const RBAC: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['resourcequotas'], verbs: ['create', 'patch', 'delete'] },
  { apiGroups: ['batch'], resources: ['jobs'], verbs: ['delete'] },
];

async function observe(ledger: Ledger, read: Reader): Promise<LedgerObserved> {
  const seen = seeLedger(ledger, read);
  const known = new Set(seen.runs.map((run) => run.metadata.uid));
  const missing = (ledger.status?.reservations ?? []).filter(({ uid }) => !known.has(uid));
  const vanished = await Promise.all(missing.map((one) => findVanished(one, read)));
  return {
    ...seen,
    vanished: new Map(missing.map(({ uid }, i) => [uid, vanished[i] ?? { kind: 'present' }])),
    leftovers: await findLeftovers(ledger, read),
  };
}

/** Asks the API server itself: that a cache does not know a Run proves nothing. */
async function findVanished(reservation: Reservation, read: Reader): Promise<Vanished> {
  const { uid, namespace, name, attempt } = reservation;
  const run = await read.live(RUNS, { namespace, name });
  if (run?.metadata.uid === uid) return { kind: 'present' };
  const job = await read.live(JOBS, { namespace, name: childName({ name, uid }, attempt) });
  if (job?.metadata.labels?.[LABELS.runUid] === uid) return { kind: 'orphan', job };
  return podsOf(read, uid).length > 0 ? { kind: 'present' } : { kind: 'gone' };
}

async function findLeftovers(ledger: Ledger, read: Reader): Promise<ReadonlyMap<string, Leftover>> {
  const shares = new Set(ledger.spec.namespaces);
  const names = namespacesOf(ledger).filter((name) => !shares.has(name));
  const found = await Promise.all(names.map((name) => findLeftover(name, ledger, read)));
  return new Map(names.map((name, i) => [name, found[i] ?? 'kept']));
}

async function findLeftover(name: string, ledger: Ledger, read: Reader): Promise<Leftover> {
  const namespace = await read.live(NAMESPACES, { name });
  if (namespace === undefined) return 'gone';
  if (namespace.metadata.labels?.[LABELS.tenant] === ledger.metadata.name) return 'kept';
  const quota = await read.live(RESOURCE_QUOTAS, { namespace: name, name: RESOURCE_QUOTA_NAME });
  return quota === undefined ? 'gone' : 'released';
}

function ledgerOfNamespace({ metadata }: KubeObject, read: Reader): readonly Key[] {
  const inside = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: '', namespace: metadata.name } };
  return ledgerOfObject(inside, read);
}

/** A class matters to those who have quota of it. */
function ledgersOfClass({ metadata }: KubeObject, read: Reader): readonly Key[] {
  const ledgers = read.list(QUOTA_LEDGERS) as readonly Ledger[];
  return ledgers
    .filter(({ spec }) => spec.gpus?.some((gpu) => gpu.class === metadata.name))
    .map((ledger) => ({ name: ledger.metadata.name }));
}
