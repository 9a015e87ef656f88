// SPDX-License-Identifier: Apache-2.0
import {
  type KeyRecord,
  LEDGER_REASONS,
  type QuotaLedgerStatus,
  type Reservation,
} from '#crds/v1alpha1/quota-ledger';
import { RUN_REASONS } from '#crds/v1alpha1/run';
import type { UsageHistory } from '#crds/v1alpha1/usage-history';
import { setStanding, type Standing } from '../conditions.ts';
import type { DeviceDesk } from '../capacity/device-queue.ts';
import { attemptOf, type LastSeen } from '../metering/released.ts';
import { recordAgainAt, recordChange, type SeenRecord, withRecord } from '../metering/usage-record.ts';
import { defined, type KubeObject } from '../object.ts';
import { atOnce, type Pieces } from '../pieces.ts';
import { DONE, type Plan, type Removal, removalOf, type Result } from '../plan.ts';
import { toldRefusal } from '../refused-write.ts';
import { podRemoval } from '../run/pod.ts';
import type { Run } from '../run/run.ts';
import type { Ledger } from '../tenant/tenant.ts';
import type { GivenBack, TreeRecords } from '../tree/records.ts';
import { type Admission, admitRuns } from './admit.ts';
import { type Amounts, amountOf, formatAmounts, parseAmounts } from './amounts.ts';
import { openBooks } from './books.ts';
import { askersIn } from './askers.ts';
import { isGivenBack, type RunContext } from './candidates.ts';
import { type CreateRate, rateOf } from './create-rate.ts';
import {
  type Dealt,
  dealGrants,
  type Demand,
  type Grant,
  isOutdated,
  type NamespaceQuota,
  type SeenQuota,
} from './grants.ts';
import { settleHandovers } from './handover.ts';
import { KeyBook } from './keys.ts';
import { lostReservations } from './lost-reservations.ts';
import { preemptionBook } from './preemption.ts';
import { bytesForReservations, reservationBytes } from './ledger-size.ts';
import { refusedDemands } from './refusals.ts';
import { countedQuota } from './counted.ts';
import { isForeign, newQuota, replacedQuota, seenQuota } from './resource-quota.ts';
import { runsByUid } from './runs-by-uid.ts';
import { agentLimits, freeAmounts, pendingIn, possibleHandovers, sharing, startHandovers } from './stock.ts';

/** How a namespace that no longer shares the totals was found by a direct read. */
export type Leftover =
  /** Still the tenant's: it keeps what it uses. */
  | 'kept'
  /** There, and not the tenant's any more: its ResourceQuota is taken away. */
  | 'released'
  /** Proven gone, or released and its ResourceQuota proven gone. */
  | 'gone';

/** What was found of a Run that no watch knows any more. */
export type Vanished =
  /** It is there after all, or something of it still runs. */
  | { readonly kind: 'present' }
  /** A pod of it outlived it and has to be removed first. */
  | { readonly kind: 'orphan'; readonly pod: KubeObject }
  /** Neither the Run, nor any pod of it that has not ended is left, as direct reads prove. */
  | { readonly kind: 'gone'; readonly last?: LastSeen };

/** What the ledger is decided on. */
export interface LedgerObserved extends RunContext {
  /** ResourceQuotas of ours, by namespace. */
  readonly quotas: ReadonlyMap<string, KubeObject>;
  /** Namespaces in which somebody else's ResourceQuota bears our name: no quota can be held there, so none goes there. */
  readonly taken: ReadonlySet<string>;
  /** Namespaces in which nothing new can be made: not there yet, going, or gone. */
  readonly closed: ReadonlySet<string>;
  /** Namespaces whose ResourceQuota claims a revision that the ledger, read directly, has not come to. */
  readonly forged: ReadonlySet<string>;
  /** By name: namespaces with a grant that the spec does not name. */
  readonly leftovers: ReadonlyMap<string, Leftover>;
  /**
   * Runs that are not finished, of all namespaces of the ledger, and of those that are, who hold a reservation, or have an
   * idempotency key of which the ledger does not know yet that, or that another Run wants.
   */
  readonly runs: readonly Run[];
  /** By uid: Runs with a reservation that are not among `runs`. */
  readonly vanished: ReadonlyMap<string, Vanished>;
  /** UIDs of Runs with a pod that counts against quota, and none that is still to be made. */
  readonly started: ReadonlySet<string>;
  /** By uid: how many pods of a Run are still to be made, of which others were. */
  readonly unmade?: ReadonlyMap<string, number>;
  /** What NexusOS and Kubernetes make in each namespace: as much of the totals must be there, whoever else wants some. */
  readonly ownObjects: Amounts;
  /** The record of usage, while the ledger has something for it. */
  readonly record?: SeenRecord;
  /** `FailedCreate` Events of the namespaces. */
  readonly refusals: readonly KubeObject[];
  /** Opens the desk that gives away devices on nodes, to who asks beside those who hold a reservation. */
  readonly openDesk?: (held: readonly Reservation[]) => DeviceDesk;
}

/** The queue of a tenant as it stands. */
export interface Queue extends Admission {
  /** Reservations that are still held. */
  readonly held: readonly Reservation[];
  /** What was used, with those whose reservations are given back. */
  readonly usage: UsageHistory | undefined;
  /** Idempotency keys, those of who is admitted included. */
  readonly keys: readonly KeyRecord[];
  /** What Runs that others call have used, by the uid of the one above all. */
  readonly trees: TreeRecords;
  /** What is to be kept of the rate of starts; undefined without a limit. */
  readonly startDueMicros: number | undefined;
  /** When somebody may go on because of the time alone, in milliseconds; infinite when nobody does. */
  readonly nextMs: number;
}

/**
 * Who of the tenant's Runs holds quota, who gets some now, and who waits for what. A reservation is given back when
 * its Run is final in the API, or when Run and pods are proven gone by direct reads: absence from a cache proves
 * nothing, and would let one Run too many start.
 */
export function queueOf(ledger: Ledger, observed: LedgerObserved, now: Date): Queue {
  return atOnce(queueInPieces(ledger, observed, now));
}

/** The same, where thousands may wait. From when the desk of devices is opened there is no rest: what others do meanwhile would not be known there. */
export function* queueInPieces(ledger: Ledger, observed: LedgerObserved, now: Date): Pieces<Queue> {
  const settled = settleHandovers(heldIn(ledger, observed), ledger.spec.suspended);
  const kept = possibleHandovers(ledger, settled, observed);
  const ended = endedAttempts(ledger, { held: kept, observed }, now);
  const { usage, budgets, trees } = openBooks(ledger, { held: kept, ended, observed }, now);
  const held = startHandovers(ledger, trees.held, observed);
  const holders = new Set(held.map(({ uid }) => uid));
  const { suspended, maxConcurrentRuns, priorityAgingSeconds, gpus = [] } = ledger.spec;
  const bytes = bytesForReservations(ledger);
  const keys = new KeyBook({
    records: ledger.status?.keys ?? [],
    runs: observed.runs,
    holders,
    departed: departedIn(observed),
    bytes: held.reduce((left, one) => left - reservationBytes(one), bytes),
    now,
  });
  const rate = rateOf(ledger, now);
  yield;
  const candidates = yield* askersIn({ ledger, observed, held, holders, keys, budgets, trees });
  yield;
  const admission = yield* admitRuns({
    isSuspended: suspended,
    priorityAgingSeconds,
    openDesk: observed.openDesk?.bind(undefined, held),
    maxConcurrentRuns,
    bytes: Math.max(0, bytes - keys.bytes),
    keysLeft: keys.left,
    rate,
    budgets,
    trees,
    preemption: preemptionBook({ ledger, held, observed }),
    gpus: new Map(gpus.map((one) => [one.class, one.count])),
    agentLimits: agentLimits(observed),
    ...freeAmounts(ledger, observed, pendingIn(ledger, held, observed)),
    held,
    candidates,
  });
  const { admitted, waiting: left, marks } = admission;
  // As it was while nothing started: what time alone would change is not worth a write.
  const startDueMicros = admitted.length > 0 ? rate?.dueMicros : rate && ledger.status?.startDueMicros;
  const nextMs = Math.min(nextOf(left, { keys, rate }), budgets.nextMs, trees.nextMs);
  return {
    ...admission,
    held: withMarks(held, marks),
    usage,
    keys: keys.withAdmitted(admitted),
    trees: trees.records,
    startDueMicros,
    nextMs,
  };
}

/** By uid: Runs that are proven gone, as they were seen last. */
function departedIn({ vanished }: LedgerObserved): ReadonlyMap<string, Run> {
  return new Map(
    [...vanished].flatMap(([uid, found]) =>
      found.kind === 'gone' && found.last !== undefined ? [[uid, found.last.run]] : [],
    ),
  );
}

function withMarks(held: readonly Reservation[], marks: Admission['marks']): readonly Reservation[] {
  return held.map((one) => {
    const preemptedBy = marks.get(one.uid);
    return preemptedBy === undefined ? one : { ...one, preemptedBy };
  });
}

/** Reservations that go on: those of the ledger that were not given back, and those that it has lost. */
function heldIn(ledger: Ledger, observed: LedgerObserved): readonly Reservation[] {
  const byUid = runsByUid(observed.runs);
  const kept = (ledger.status?.reservations ?? []).filter((reservation) => {
    const run = byUid.get(reservation.uid);
    if (run !== undefined) return !isGivenBack(reservation, run);
    return observed.vanished.get(reservation.uid)?.kind !== 'gone';
  });
  const madeAt = ledger.metadata.creationTimestamp;
  const keepers = new Set(kept.map(({ uid }) => uid));
  return [...kept, ...lostReservations(observed.runs, { madeAt, keepers })];
}

/** When the time alone lets the first of those who wait go on, in milliseconds. */
function nextOf(
  waiting: Admission['waiting'],
  { keys, rate }: { readonly keys: KeyBook; readonly rate: CreateRate | undefined },
): number {
  const waitsFor = (what: string) => waiting.some(({ reason }) => reason === what);
  const forgottenMs = waitsFor(RUN_REASONS.TooManyKeys) ? keys.forgottenMs : Infinity;
  if (rate === undefined || !waitsFor(RUN_REASONS.RateLimited)) return forgottenMs;
  return Math.min(forgottenMs, rate.openMs(0));
}

/** Decides the next state of a tenant's ledger, and the ResourceQuotas that follow from it. */
export function planLedger(ledger: Ledger, observed: LedgerObserved, now: Date): Plan<QuotaLedgerStatus> {
  return planQueue(ledger, { observed, queue: queueOf(ledger, observed, now) }, now);
}

/** The same, of the queue as it stands. */
export function planQueue(
  ledger: Ledger,
  { observed, queue }: { readonly observed: LedgerObserved; readonly queue: Queue },
  now: Date,
): Plan<QuotaLedgerStatus> {
  const lastSerial = ledger.status?.lastSerial ?? 0;
  const admitted = queue.admitted.map((one, i) => ({ ...one, serial: lastSerial + i + 1 }));
  const reservations = [...queue.held, ...admitted];
  const dealt = dealGrants({
    totals: parseAmounts(ledger.spec.hard),
    namespaces: namespacesOf(ledger, observed),
    demands: [
      ...ownDemands(ledger, observed),
      ...pendingIn(ledger, reservations, observed),
      ...queue.demands,
      ...refusedDemands(observed.refusals, now),
    ],
  });
  const generation = ledger.metadata.generation ?? 0;
  const record = recordChange(ledger, observed.record, now);
  const changes = withRecord(quotaChanges(ledger, observed, dealt.grants), record);
  // What was refused and is still to be written: that it is tried again is known, and no news.
  const refused = isChange(changes) ? toldRefusal(ledger) : undefined;
  const standing = refused ?? standingOf(dealt);
  const conditions = setStanding(ledger.status?.conditions ?? [], standing, { generation, now });
  const status: QuotaLedgerStatus = {
    observedGeneration: generation,
    grants: dealt.grants.map((grant) => writtenGrant(grant, ledger)),
    reservations,
    ...(queue.trees.size > 0 && { trees: [...queue.trees.values()] }),
    ...(queue.keys.length > 0 && { keys: [...queue.keys] }),
    lastSerial: lastSerial + admitted.length,
    ...defined({ startDueMicros: queue.startDueMicros, usage: queue.usage }),
    conditions: [...conditions],
  };
  const nextMs = Math.min(queue.nextMs, recordAgainAt(record, now));
  return { status, ...changes, events: [], result: againAt(nextMs, now) };
}

function againAt(nextMs: number, now: Date): Result {
  if (nextMs === Infinity) return DONE;
  // Never at once: what is due was decided in this pass.
  const afterMs = Math.max(1, nextMs - now.getTime());
  return { kind: 'requeueAfter', afterMs, why: 'since somebody waits for that time' };
}

/** Attempts whose reservations are given back here: what they used is counted by the same write. */
function endedAttempts(
  ledger: Ledger,
  { held: kept, observed }: Pick<Queue, 'held'> & { readonly observed: LedgerObserved },
  now: Date,
): readonly GivenBack[] {
  const held = new Set(kept.map(({ uid }) => uid));
  const byUid = runsByUid(observed.runs);
  return (ledger.status?.reservations ?? [])
    .filter(({ uid }) => !held.has(uid))
    .map((reservation) => {
      const run = byUid.get(reservation.uid);
      const found = observed.vanished.get(reservation.uid);
      const last = found?.kind === 'gone' ? found.last : undefined;
      const attempt = attemptOf(reservation, run === undefined ? last : { run }, now);
      return attempt && { reservation, attempt };
    })
    .filter((one) => one !== undefined);
}

/** What we ourselves have still to make where it is counted: our own writes are refused without anybody telling. */
function ownDemands(ledger: Ledger, { quotas, ownObjects }: LedgerObserved): readonly Demand[] {
  const counted = [...ownObjects].filter(([key]) => ledger.spec.hard?.[key] !== undefined);
  return [...quotas].flatMap(([namespace, quota]) => {
    const { used } = seenQuota(quota);
    return counted
      .map(([key, least]) => [key, least - amountOf(used, key)] as const)
      .filter(([, missing]) => missing > 0n)
      .map(([key, missing]) => ({ namespace, amounts: new Map([[key, missing]]) }));
  });
}

/** Every namespace that shares the totals, or still has a part of them. */
function namespacesOf(ledger: Ledger, observed: LedgerObserved): readonly NamespaceQuota[] {
  const shares = sharing(ledger, observed);
  const grants = new Map((ledger.status?.grants ?? []).map((grant) => [grant.namespace, grant]));
  const names = new Set([...shares, ...grants.keys()]);
  return [...names]
    .filter((name) => observed.leftovers.get(name) !== 'gone')
    .map((name) => {
      const quota = observed.quotas.get(name);
      const grant = grants.get(name);
      return {
        name,
        isLeaving: !shares.has(name),
        seen: quota && seenIn(ledger, quota, observed),
        grant: grant && {
          namespace: name,
          hard: parseAmounts(grant.hard),
          revision: grant.revision,
          ceiling: parseAmounts(grant.ceiling),
        },
      };
    });
}

/** A ResourceQuota as it counts: a revision that no ledger ever wrote proves nothing. */
function seenIn(ledger: Ledger, quota: KubeObject, observed: LedgerObserved): SeenQuota {
  const seen = countedQuota(ledger, quota, observed);
  return observed.forged.has(quota.metadata.namespace ?? '') ? { ...seen, revision: 0 } : seen;
}

function writtenGrant({ namespace, hard, revision, ceiling }: Grant, ledger: Ledger) {
  return {
    namespace,
    hard: formatAmounts(hard, ledger.spec.hard),
    revision,
    ...(ceiling.size > 0 && { ceiling: formatAmounts(ceiling, ledger.spec.hard) }),
  };
}

function quotaChanges(ledger: Ledger, observed: LedgerObserved, grants: readonly Grant[]) {
  const replace: KubeObject[] = [];
  const create: KubeObject[] = [];
  const remove: Removal[] = [...observed.vanished.values()].flatMap((found) =>
    found.kind === 'orphan' ? [podRemoval(found.pod)] : [],
  );
  // Where all namespaces go, nobody is left to whom quota could be moved.
  const isEnding = grants.every(({ namespace }) => observed.closed.has(namespace));
  for (const grant of grants) {
    const { namespace } = grant;
    const live = observed.quotas.get(namespace);
    const leftover = observed.leftovers.get(namespace);
    if (live === undefined) {
      if (leftover === undefined && isOpen(namespace, observed)) create.push(newQuota(ledger, grant));
    } else if (!isForeign(live, ledger)) {
      const isWritable = !isEnding && !isOutdated(grant, seenIn(ledger, live, observed));
      const wanted = isWritable ? replacedQuota(ledger, grant, live) : undefined;
      if (leftover === 'released') remove.push(removalOf(live));
      else if (wanted !== undefined) replace.push(wanted);
    }
  }
  return { apply: [], replace, create, remove };
}

/** Whether a ResourceQuota of ours can be made in a namespace. */
function isOpen(namespace: string, { closed, taken }: LedgerObserved): boolean {
  return !closed.has(namespace) && !taken.has(namespace);
}

function isChange({ replace, create, remove }: ReturnType<typeof withRecord>): boolean {
  return replace.length + create.length + remove.length > 0;
}

function standingOf(dealt: Dealt): Standing {
  if (dealt.overCommitted.length > 0) {
    const keys = dealt.overCommitted.toSorted().join(', ');
    const message = `more is in use than the quota allows, and nothing new starts until enough has ended: ${keys}`;
    return { kind: 'reconciling', reason: LEDGER_REASONS.OverCommitted, message };
  }
  if (dealt.isMoving) {
    const message = 'quota is being moved between namespaces';
    return { kind: 'reconciling', reason: LEDGER_REASONS.Rebalancing, message };
  }
  return { kind: 'ready', reason: LEDGER_REASONS.Balanced, message: 'all quota is dealt out' };
}
