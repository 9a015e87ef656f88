// SPDX-License-Identifier: Apache-2.0
import type { KeyRecord, Preemptor, Reservation, TreeRecord } from '#crds/v1alpha1/quota-ledger';
import type { Ledger } from '../tenant/tenant.ts';

/**
 * Bytes that the JSON of a ledger may have. etcd takes requests of up to 1.5 MiB (1,572,864 bytes); what is left is room for
 * metadata, conditions and managed fields. Everything in a ledger is ASCII, so characters are bytes.
 */
export const MAX_LEDGER_BYTES = 1_450_000;
/** Keys, quotes and figures of a reservation besides its own texts. */
const RESERVATION_BYTES = 120;
/** The digest of a session, its key and quotes. */
const SESSION_BYTES = 36;
/** Amounts of two budgets, as large as they get, and the window of one that is used up. */
const BUDGET_BYTES = 140;
/** The same of a budget of cost, by which price, and that it is the one that is used up. */
const COST_BYTES = 85;
/** Keys, quotes and figures of who calls a Run, beside his texts. */
const CALL_BYTES = 80;
/** The levels below a Run, and what it reserves for them. */
const LEVELS_BYTES = 150;
/** What the cost takes that is reserved for those below. */
const POOL_COST_BYTES = 40;
/** What is remembered of the Runs below one, beside its names. */
const TREE_BYTES = 270;
/** The end of the name of a revision, its key and quotes. */
const REVISION_BYTES = 26;
/** The number of its pods, its key and quotes, and what the longest number of devices takes beyond that of one pod. */
const GANG_BYTES = 16;
/** Keys, quotes and the figure of who takes over, beside his names. */
const PREEMPTOR_BYTES = 70;
/** Key and brackets of the numbers of those that a Run takes over from, and the longest of these with its comma. */
const AWAITS_BYTES = 12;
const AWAITED_BYTES = 17;
/** The same of an idempotency key: its digests, phase and figures. */
const KEY_BYTES = 170;
/** The most that the usage history takes, where what is over cannot be given to the record. */
const HISTORY_BYTES = 40_000;
/** The same of a grant. */
const GRANT_BYTES = 90;
/** Quotes, colon, comma and the longest figure of an amount besides its key. */
const AMOUNT_BYTES = 28;

/** The most bytes that a reservation takes in a ledger. */
export function reservationBytes(one: Reservation): number {
  const { uid, namespace, name, agent, gpuClass = '', session, runUnits, tokens, cost, revision, pods } = one;
  const hasBudget = (runUnits ?? tokens ?? cost) !== undefined;
  const texts = uid.length + namespace.length + name.length + agent.length + gpuClass.length;
  return (
    RESERVATION_BYTES +
    texts +
    (session === undefined ? 0 : SESSION_BYTES) +
    (pods === undefined ? 0 : GANG_BYTES) +
    (hasBudget ? BUDGET_BYTES : 0) +
    (cost === undefined ? 0 : COST_BYTES) +
    (revision === undefined ? 0 : REVISION_BYTES) +
    callBytes(one) +
    handoverBytes(one)
  );
}

/** A Run that calls others has room for what is remembered of these from its own admission on. */
function callBytes({ levels, call, uid, namespace, name, pool }: Reservation): number {
  const called =
    call === undefined ? 0 : CALL_BYTES + call.parent.length + call.root.length + call.rootName.length;
  if (levels === undefined) return called;
  const record = call === undefined ? treeBytes({ uid, namespace, name }) : 0;
  const paid = pool?.cost === undefined ? 0 : POOL_COST_BYTES;
  return called + LEVELS_BYTES + paid + record;
}

/** The most bytes that is remembered of the Runs below one. */
export function treeBytes({ uid, namespace, name }: Pick<TreeRecord, 'uid' | 'namespace' | 'name'>): number {
  return TREE_BYTES + uid.length + namespace.length + name.length;
}

/** The most that a Run takes which another one calls: whoever may call leaves as much on each level below. */
export const MOST_BYTES_BELOW = 1200;

function handoverBytes({ awaits, preemptedBy }: Reservation): number {
  const waits = awaits === undefined ? 0 : AWAITS_BYTES + awaits.length * AWAITED_BYTES;
  return waits + (preemptedBy === undefined ? 0 : preemptorBytes(preemptedBy));
}

/** The most bytes that it takes in a ledger who takes over from a Run. */
export function preemptorBytes({ namespace, name }: Pick<Preemptor, 'namespace' | 'name'>): number {
  return PREEMPTOR_BYTES + namespace.length + name.length;
}

/** The most bytes that an idempotency key takes in a ledger, however its Run ends. */
export function keyBytes({ uid, namespace, name }: Pick<KeyRecord, 'uid' | 'namespace' | 'name'>): number {
  return KEY_BYTES + uid.length + namespace.length + name.length;
}

/**
 * Bytes that reservations and keys may take in `ledger`, whatever becomes of its grants: a place in a ledger that is too large could
 * be neither taken nor given back. Never negative.
 */
export function bytesForReservations({ spec, status }: Ledger): number {
  const { hard = {}, namespaces = [] } = spec;
  const amounts = Object.keys(hard).reduce((sum, key) => sum + key.length + AMOUNT_BYTES, 0);
  const names = new Set([...namespaces, ...(status?.grants ?? []).map(({ namespace }) => namespace)]);
  // Each grant has its amounts, and may have a ceiling for each of them.
  const grants = [...names].reduce((sum, name) => sum + GRANT_BYTES + name.length + 2 * amounts, 0);
  return Math.max(0, MAX_LEDGER_BYTES - HISTORY_BYTES - grants - JSON.stringify(spec).length);
}
