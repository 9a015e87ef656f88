// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { GROUP, LABELS } from '#crds/v1alpha1/names';
import {
  LEDGER_REASONS,
  QUOTA_LEDGER,
  type QuotaLedgerStatus,
  type Reservation,
} from '#crds/v1alpha1/quota-ledger';
import type { DeviceDesk } from '../core/capacity/device-queue.ts';
import { needsRecord, type SeenRecord, seenRecord } from '../core/metering/usage-record.ts';
import type { KubeObject } from '../core/object.ts';
import { atOnce, type Pieces } from '../core/pieces.ts';
import type { Plan } from '../core/plan.ts';
import { tellRefusal } from '../core/refused-write.ts';
import {
  type Leftover,
  type LedgerObserved,
  planQueue,
  queueInPieces,
  type Vanished,
} from '../core/quota/ledger.ts';
import { RESOURCE_QUOTA_NAME } from '../core/quota/refusals.ts';
import { releaseTogether } from '../core/quota/release-together.ts';
import { isForeign, seenQuota } from '../core/quota/resource-quota.ts';
import { runsByUid } from '../core/quota/runs-by-uid.ts';
import { membersOf } from '../core/run/gang.ts';
import { isPodFinished } from '../core/run/outcome.ts';
import { attemptsOf, childName, identityOf, type Run } from '../core/run/run.ts';
import type { Ledger } from '../core/tenant/tenant.ts';
import type { Controller, Key, PolicyRule, Reader, Watch } from '../runtime/controller.ts';
import { keyOf, parseWith } from '../runtime/controller.ts';
import { clock } from '../runtime/clock.ts';
import { asItsPodSays } from './shared/admission-record.ts';
import { DepartedRuns } from './shared/departed-runs.ts';
import type { DeviceBook } from './shared/device-book.ts';
import { LedgerPasses } from './shared/ledger-passes.ts';
import { type LedgerWakes, ofFigures, ofOwnWrites, wakesOf } from './shared/ledger-wakes.ts';
import { type LedgerWitness, watchGone } from './shared/ledger-witness.ts';
import {
  AGENTS,
  GPU_CLASSES,
  NAMESPACES,
  QUOTA_LEDGERS,
  RESOURCE_QUOTAS,
  RUNS,
  TENANTS,
  USAGE_RECORDS,
} from '../core/resources.ts';
import { watchRevisions } from './shared/revisions.ts';
import { type SeenLedger, seeLedger, TenantQueues } from './shared/tenant-queue.ts';
import {
  ledgerOfObject,
  livePodsOf,
  namespacesOf,
  PODS,
  podsOf,
  watchFailedCreates,
  watchPods,
} from './shared/workloads.ts';

/** What was seen of a ledger. */
export interface LedgerView {
  readonly observed: LedgerObserved;
  readonly read: Reader;
}

/** The controller of QuotaLedgers: quota of namespaces, and which Runs are admitted. */
export function ledgerController(
  book: DeviceBook,
  witnesses: readonly LedgerWitness[] = [],
  queues = new TenantQueues(book),
): Controller<Ledger, LedgerView, QuotaLedgerStatus | undefined> {
  const passes = new LedgerPasses();
  const departed = new DepartedRuns();
  const all = [departed, passes, queues, ...witnesses];
  function* planInPieces(ledger: Ledger, view: LedgerView, now: Date): Pieces<Plan<QuotaLedgerStatus>> {
    const plan = yield* planWithDevices(ledger, { ...view, book, queues }, now);
    passes.decided(ledger, view.observed.runs, plan.status);
    return plan;
  }
  return {
    name: 'ledger',
    resource: QUOTA_LEDGERS,
    watches: [...watchesOf(book, wakesOf(passes)), departed.watch(), watchGone(all)],
    patienceMs: ofOwnWrites,
    restMs: ({ name }) => passes.restMs(name),
    rbac: RBAC,
    parse: parseWith(z.object({ spec: QUOTA_LEDGER.spec })),
    group: (ledger) => ledger.metadata.name,
    // Moving quota is everyday work.
    tells: ({ type, reason }) => type === 'Warning' || reason === LEDGER_REASONS.OverCommitted,
    async observe(ledger, read) {
      for (const witness of all) witness.see(ledger);
      const seen = seeLedger(ledger, read, book.gate);
      passes.begin(ledger, seen.runs);
      return { observed: await observe(ledger, seen, { read, departed }), read };
    },
    heldUp: (ledger, obstacle, now) => tellRefusal(ledger, { obstacle, replaces: ANY_STANDING }, now),
    plan: (ledger, view, now) => atOnce(planInPieces(ledger, view, now)),
    planInPieces,
  };
}

const ANY_STANDING = [LEDGER_REASONS.Balanced, LEDGER_REASONS.Rebalancing, LEDGER_REASONS.OverCommitted];

/** A tenant whose Runs wait for devices looks again so often, should nobody have told it of what it waits for. */
const DEVICES_AGAIN = { kind: 'requeueAfter', afterMs: 15_000, why: 'for devices to be free' } as const;

/**
 * Decides, and notes at the same instant what was decided on devices: they are given away over all tenants, so the next pass,
 * which may be another tenant's, has to know, whether or not this one has been written by then. Whose place is news is told after that.
 */
function* planWithDevices(
  ledger: Ledger,
  { observed, read, book, queues }: LedgerView & { readonly book: DeviceBook; readonly queues: TenantQueues },
  now: Date,
): Pieces<Plan<QuotaLedgerStatus>> {
  const desks: DeviceDesk[] = [];
  const openDesk = (held: readonly Reservation[]) => {
    const desk = book.desk(ledger, { read, held, now });
    desks.push(desk);
    return desk;
  };
  const seen = { ...observed, openDesk };
  const queue = yield* queueInPieces(ledger, seen, now);
  const decided = planQueue(ledger, { observed: seen, queue }, now);
  const plan = releaseTogether(ledger, decided, { runs: observed.runs, now });
  const [desk] = desks;
  book.settle(ledger, desk, now);
  yield* queues.learn(ledger, queue, observed.runs);
  const waits = desk !== undefined && desk.refused.length > 0;
  const { result } = plan;
  const isSooner = result.kind === 'requeueAfter' && result.afterMs <= DEVICES_AGAIN.afterMs;
  return waits && !isSooner ? { ...plan, result: DEVICES_AGAIN } : plan;
}

function watchesOf(book: DeviceBook, wakes: LedgerWakes): readonly Watch[] {
  const ready = (_: KubeObject, read: Reader) => book.ready(read);
  const afterWaiter: Watch['keys'] = ({ metadata }, read) =>
    book.isWaiter(metadata.uid) ? book.ready(read) : [];
  return [
    { resource: RUNS, keys: ledgerOfObject, patienceMs: wakes.ofRuns },
    { resource: RUNS, keys: afterWaiter },
    // A reservation that is given back is what others may have waited for.
    { resource: QUOTA_LEDGERS, keys: ready },
    { resource: AGENTS, keys: ledgerOfObject, patienceMs: ofFigures },
    watchRevisions(ledgerOfObject),
    { resource: TENANTS, keys: (tenant) => [{ name: tenant.metadata.name }], patienceMs: ofFigures },
    { resource: GPU_CLASSES, keys: ledgersOfClass },
    { resource: NAMESPACES, keys: ledgerOfNamespace },
    // Without selector: one of somebody else that bears our name must be seen.
    { resource: RESOURCE_QUOTAS, keys: ledgerOfQuota, patienceMs: wakes.ofQuotas },
    { ...watchPods(ledgerOfObject), patienceMs: wakes.ofPods },
    watchFailedCreates(ledgerOfObject),
    ...book.gate.watchQueues(ledgerOfObject),
    ...book.watches((read) => book.ready(read)),
  ];
}

const RBAC: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['resourcequotas'], verbs: ['create', 'update', 'delete'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['delete'] },
  // Read by requests, about once an hour; that it could be watched is for owners, whom the operator can give no more than it has.
  {
    apiGroups: [GROUP],
    resources: [USAGE_RECORDS.plural],
    verbs: ['get', 'list', 'watch', 'create', 'update', 'delete'],
  },
];

async function observe(
  ledger: Ledger,
  seen: SeenLedger,
  { read, departed }: { readonly read: Reader; readonly departed: DepartedRuns },
): Promise<LedgerObserved> {
  const known = runsByUid(seen.runs);
  const missing = (ledger.status?.reservations ?? []).filter(({ uid }) => !known.has(uid));
  const vanished = await Promise.all(
    missing.map(async (one) => withLastSeen(await findVanished(one, read), departed.find(one.uid), read)),
  );
  return {
    ...seen,
    vanished: new Map(missing.map(({ uid }, i) => [uid, vanished[i] ?? { kind: 'present' }])),
    leftovers: await findLeftovers(ledger, read),
    forged: await findForged(ledger, seen.quotas, read),
    ...(needsRecord(ledger, clock.now()) && { record: await findRecord(ledger, read) }),
  };
}

/**
 * What is left of a Run that the stores do not know. While they know a pod of it that is going, nothing is asked, and a change of that
 * brings the next look. That they know nothing proves nothing: then the API server is asked, once, since the reservation
 * goes in the same pass.
 */
async function findVanished({ uid, namespace, name }: Reservation, read: Reader): Promise<Vanished> {
  const seen = podsOf(read, { namespace, uid }).filter((pod) => !isPodFinished(pod));
  if (seen.length > 0 && seen.every(isGoing)) return { kind: 'present' };
  const run = await read.live(RUNS, { namespace, name });
  if (run?.metadata.uid === uid) return { kind: 'present' };
  const live = await livePodsOf(read, { namespace, uid });
  if (live.length === 0) return { kind: 'gone' };
  const pod = live.find((one) => !isGoing(one));
  return pod === undefined ? { kind: 'present' } : { kind: 'orphan', pod };
}

function isGoing({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined;
}

/** What a Run that is gone has used is charged by how it was seen last. */
function withLastSeen(found: Vanished, run: Run | undefined, read: Reader): Vanished {
  if (found.kind !== 'gone' || run === undefined) return found;
  const { namespace = '' } = run.metadata;
  const last = asItsPodSays(run, read);
  const pod = read.get(PODS, { namespace, name: childName(identityOf(last), attemptsOf(last)) });
  const all = podsOf(read, { namespace, uid: run.metadata.uid ?? '' });
  const members = membersOf(last, all).map((one) => one.pod);
  return { kind: 'gone', last: { run: last, pod, members } };
}

/**
 * Namespaces whose ResourceQuota carries a later revision than the ledger at hand. Either the ledger is old, or somebody
 * wrote that revision by hand: ours are in the ledger before they are in any ResourceQuota, so the ledger as it is now tells.
 */
async function findForged(
  ledger: Ledger,
  quotas: ReadonlyMap<string, KubeObject>,
  read: Reader,
): Promise<ReadonlySet<string>> {
  const grants = (ledger.status?.grants ?? []).map(
    ({ namespace, revision }) => [namespace, revision] as const,
  );
  const ahead = grants.filter(([namespace, revision]) => {
    const quota = quotas.get(namespace);
    return quota !== undefined && !isForeign(quota, ledger) && seenQuota(quota).revision > revision;
  });
  if (ahead.length === 0) return new Set();
  const live = await read.live(QUOTA_LEDGERS, keyOf(ledger));
  const isNewest = live?.metadata.resourceVersion === ledger.metadata.resourceVersion;
  return new Set(isNewest ? ahead.map(([namespace]) => namespace) : []);
}

/** The record of usage as it is: what was taken over is dropped from the ledger, so an old view of it will not do. */
async function findRecord(ledger: Ledger, read: Reader): Promise<SeenRecord> {
  return seenRecord(ledger, await read.live(USAGE_RECORDS, keyOf(ledger)));
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
  return quota === undefined || isForeign(quota, ledger) ? 'gone' : 'released';
}

function ledgerOfQuota(quota: KubeObject, read: Reader): readonly Key[] {
  return quota.metadata.name === RESOURCE_QUOTA_NAME ? ledgerOfObject(quota, read) : [];
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
