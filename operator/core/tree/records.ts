// SPDX-License-Identifier: Apache-2.0
import { BUDGET_UNITS, type BudgetUnit } from '#crds/v1alpha1/budgets';
import type { QuotaLedgerStatus, Reservation, ReservedCall, TreeRecord } from '#crds/v1alpha1/quota-ledger';
import type { MeteredAttempt } from '#crds/v1alpha1/run-usage';
import { amountsOf } from '../metering/amounts.ts';
import { formatMicro, parseMicro } from '../metering/micro.ts';
import { defined } from '../object.ts';
import { larger } from '../quota/amounts.ts';
import { tokenMicros } from '../quota/estimate.ts';
import { runsByUid } from '../quota/runs-by-uid.ts';
import { heldBy, type Hold } from '../quota/spending.ts';
import type { Run } from '../run/run.ts';
import { isTold } from '../run/tree-status.ts';

/** An attempt that has ended, and the reservation that it gives back. */
export interface GivenBack {
  readonly reservation: Reservation;
  readonly attempt: MeteredAttempt;
}

/** What is remembered of Runs that call each other, by the uid of the one above all. */
export type TreeRecords = ReadonlyMap<string, TreeRecord>;

/** What records follow from. */
export interface RecordsInput {
  readonly before: readonly TreeRecord[];
  readonly held: readonly Reservation[];
  /** Attempts whose reservations are given back in this pass: they are counted by the write that does that. */
  readonly ended: readonly GivenBack[];
  readonly runs: readonly Run[];
}

/**
 * The records with what has ended. One is kept as long as something of its tree holds quota, and then until the Run above all, if it is
 * there, tells the same.
 */
export function settleRecords(input: RecordsInput): TreeRecords {
  const { before, held, ended, runs } = input;
  const called = [...ended.map(({ reservation }) => reservation), ...held].filter(isCalled);
  if (before.length === 0 && called.length === 0) return NO_RECORDS;
  const byUid = runsByUid(runs);
  const records = new Map(before.map((one) => [one.uid, one]));
  for (const one of called) {
    if (!records.has(one.call.root)) records.set(one.call.root, newRecord(one, byUid.get(one.call.root)));
  }
  for (const { reservation, attempt } of ended) {
    const record = records.get(reservation.call?.root ?? '');
    if (record !== undefined) records.set(record.uid, withUse(record, attempt));
  }
  return kept(records, { held, byUid });
}

function kept(
  records: TreeRecords,
  { held, byUid }: { readonly held: readonly Reservation[]; readonly byUid: ReadonlyMap<string, Run> },
): TreeRecords {
  const attempts = new Map(held.filter((one) => !isCalled(one)).map(({ uid, attempt }) => [uid, attempt]));
  const live = new Set(held.map(({ call }) => call?.root));
  const isKept = ({ uid, attempt, ...record }: TreeRecord) => {
    if (live.has(uid) || attempts.get(uid) === attempt) return true;
    const root = byUid.get(uid);
    return root !== undefined && !attempts.has(uid) && !isTold({ uid, attempt, ...record }, root);
  };
  return new Map([...records].filter(([, record]) => isKept(record)));
}

const NO_RECORDS: TreeRecords = new Map();

/** The record with one Run more below. */
export function withStart(
  record: TreeRecord,
  { call, attempt }: Pick<Reservation, 'call' | 'attempt'>,
): TreeRecord {
  const calls = record.calls + (attempt === 1 ? 1 : 0);
  return { ...record, calls, depth: Math.max(record.depth, call?.depth ?? 0) };
}

type CalledReservation = Pick<Reservation, 'namespace'> & { readonly call: ReservedCall };

/**
 * The record of a tree that has none: what the Run above all last told, if the ledger was lost. The reservation is one of a Run
 * below.
 */
export function newRecord({ namespace, call }: CalledReservation, root: Run | undefined): TreeRecord {
  const attempt = Math.max(1, root?.status?.attempt ?? 1);
  const fresh = { uid: call.root, namespace, name: call.rootName, attempt };
  const told = root?.status?.tree;
  if (told?.attempt !== attempt) return { ...fresh, calls: 0, depth: 0, runUnits: '0', tokens: '0' };
  const { calls, depth, runUnits, tokens, cost } = told;
  const used = { runUnits: runUnits.used, tokens: tokens.used, ...defined({ cost: cost?.used }) };
  return { ...fresh, calls, depth, ...used };
}

/** What the reservations of a ledger hold of budgets, in millionths, whatever they have used up to now. */
export function reservedOfBudgets(status: QuotaLedgerStatus | undefined): HeldOfBudgets['taken'] {
  const records = new Map((status?.trees ?? []).map((one) => [one.uid, one]));
  return heldOfBudgets(status?.reservations ?? [], { holds: {}, records }).taken;
}

/** By unit, how attempts stand with their reservations, in the order of these; where it is left out, they hold what they reserve. */
export type Holds = Readonly<Partial<Record<BudgetUnit, readonly Hold[]>>>;

/** What attempts under way hold of budgets, in millionths. */
export interface HeldOfBudgets {
  readonly taken: Readonly<Record<BudgetUnit, bigint>>;
  /** Holds that are in nobody's pool: each counts by itself. */
  readonly outside: Holds;
}

/**
 * What reservations take of the budgets of a tenant. Runs that others call take nothing themselves as long as the one above all holds its
 * reservation: that holds for them what it has reserved for them, less what those have used that have ended, which is
 * counted as used; or what they hold, if that is more. When it is gone, they hold for themselves.
 *
 * Example: 100 reserved for Runs below, one has ended and used 30, two hold 20 each: 70 are held. If these hold 40 each: 80.
 */
export function heldOfBudgets(
  held: readonly Reservation[],
  { holds, records }: { readonly holds: Holds; readonly records: TreeRecords },
): HeldOfBudgets {
  const roots = new Map(held.filter((one) => !isCalled(one)).map((one) => [one.uid, one]));
  const below = new Map<string, Sums>();
  const taken = noSums();
  const alone = held.map(({ call }) => call === undefined || !roots.has(call.root));
  for (const [i, one] of held.entries()) {
    const root = alone[i] ? undefined : one.call?.root;
    const sums = root === undefined ? taken : (below.get(root) ?? noSums());
    for (const unit of BUDGET_UNITS) sums[unit] += heldOf(one, unit, holds[unit]?.[i]);
    if (root !== undefined) below.set(root, sums);
  }
  for (const root of roots.values())
    addPool(taken, root, { below: below.get(root.uid), record: records.get(root.uid) });
  return { taken, outside: outsideOf(holds, alone) };
}

function heldOf(one: Reservation, unit: BudgetUnit, hold: Hold | undefined): bigint {
  return hold === undefined ? parseMicro(one[unit] ?? '0') : heldBy(hold);
}

type Sums = Record<BudgetUnit, bigint>;

function noSums(): Sums {
  return { runUnits: 0n, tokens: 0n, cost: 0n };
}

function outsideOf(holds: Holds, alone: readonly boolean[]): Holds {
  return Object.fromEntries(
    Object.entries(holds).map(([unit, all]) => [unit, all.filter((_, i) => alone[i] === true)]),
  );
}

/** What a Run above others holds for them, or they hold if that is more. */
function addPool(
  taken: Sums,
  { pool }: Reservation,
  { below, record }: { readonly below: Sums | undefined; readonly record: TreeRecord | undefined },
): void {
  if (pool === undefined && below === undefined) return;
  for (const unit of BUDGET_UNITS) {
    const left = parseMicro(pool?.[unit] ?? '0') - parseMicro(record?.[unit] ?? '0');
    taken[unit] += larger(larger(left, 0n), below?.[unit] ?? 0n);
  }
}

function isCalled<T extends Pick<Reservation, 'call'>>(one: T): one is T & { readonly call: ReservedCall } {
  return one.call !== undefined;
}

function withUse(record: TreeRecord, attempt: MeteredAttempt): TreeRecord {
  const tokens = attempt.pods.reduce(
    (sum, { reported }) => sum + tokenMicros(reported),
    parseMicro(record.tokens),
  );
  const amounts = amountsOf(attempt);
  const runUnits = parseMicro(record.runUnits) + amounts.runUnits;
  const cost = parseMicro(record.cost ?? '0') + amounts.cost;
  const paid = cost > 0n && { cost: formatMicro(cost) };
  return { ...record, runUnits: formatMicro(runUnits), tokens: formatMicro(tokens), ...paid };
}
