// SPDX-License-Identifier: Apache-2.0
import { MAX_ATTEMPTS } from '#crds/v1alpha1/meta';
import { API_VERSION } from '#crds/v1alpha1/names';
import {
  type KeyRecord,
  MAX_GRANTED_AMOUNTS,
  MAX_RESERVATIONS,
  type Reservation,
} from '#crds/v1alpha1/quota-ledger';
import { TIERS } from '#crds/v1alpha1/run-usage';
import { KEPT_WINDOWS, type UsageHistory, type WindowName } from '#crds/v1alpha1/usage-history';
import type { Ledger } from '../../tenant/tenant.ts';
import { bytesForReservations, keyBytes, reservationBytes } from '../ledger-size.ts';

const NAMESPACES = 128;
const GREATEST = '9007199254740991';

/** A name of 63 characters, the longest that there is, that begins with `start`. */
export function longName(start: string): string {
  return start.padEnd(63, 'x');
}

/**
 * A ledger with the longest names, the most grants with ceilings, so many idempotency keys, and as many reservations as it
 * may hold beside them.
 */
export function fullLedger(keyCount = 0): Ledger {
  const resources = Array.from({ length: Math.floor(MAX_GRANTED_AMOUNTS / NAMESPACES) }, (_, i) => `k${i}`);
  const hard = Object.fromEntries(resources.map((one) => [`count/${longName(one)}`, GREATEST]));
  const namespaces = Array.from({ length: NAMESPACES }, (_, i) => longName(`n${i}`));
  const grants = namespaces.map((namespace) => ({ namespace, hard, revision: 1, ceiling: hard }));
  const ledger: Ledger = {
    apiVersion: API_VERSION,
    kind: 'QuotaLedger',
    metadata: { name: 'full', generation: 1 },
    spec: { tenantUID: longName('t').slice(0, 36), suspended: false, hard, namespaces },
    status: { observedGeneration: 1, grants },
  };
  const keys = Array.from({ length: keyCount }, (_, i) => key(i));
  const reservations: Reservation[] = [];
  let left = keys.reduce((room, one) => room - keyBytes(one), bytesForReservations(ledger));
  for (let i = 0; i < MAX_RESERVATIONS; i += 1) {
    const one = reservation(i);
    left -= reservationBytes(one);
    if (left < 0) break;
    reservations.push(one);
  }
  return { ...ledger, status: { ...ledger.status, reservations, keys, usage: fullHistory() } };
}

/** The longest record of an idempotency key. */
export function key(i: number): KeyRecord {
  const digest = String(i).padStart(22, '0');
  const { uid, namespace, name } = reservation(i);
  const ended = { phase: 'Succeeded', until: '2026-11-21T12:00:00Z' } as const;
  return { key: digest, body: digest, namespace, name, uid, seconds: 604_800, ...ended };
}

/** Usage of as many windows as are kept, in figures as long as they get. */
function fullHistory(): UsageHistory {
  const most = '9'.repeat(30) + '.999999';
  const amounts = { cpuSeconds: most, memoryByteSeconds: most, gpuSeconds: most, runUnits: most, cost: most };
  const count = Number.MAX_SAFE_INTEGER;
  const reported = { inputTokens: count, outputTokens: count, toolCalls: count, sandboxCalls: count };
  const windows = Object.entries(KEPT_WINDOWS).flatMap(([window, kept]) =>
    Array.from({ length: kept }, () => ({
      window: window as WindowName,
      start: '2026-11-21T12:00:00Z',
      attempts: count,
      amounts,
      reported,
      sealed: count,
    })),
  );
  return { windows, tiers: TIERS.map((tier) => ({ tier, runUnits: most, cost: most })), lastSealed: count };
}

function reservation(i: number): Reservation {
  const uid = `${String(i).padStart(8, '0')}-0000-4000-8000-000000000000`;
  const devices = { gpuClass: longName('g'), gpus: 64 };
  return {
    uid,
    namespace: longName('n1'),
    name: longName(`r${i}`),
    agent: longName('a'),
    attempt: MAX_ATTEMPTS,
    serial: Number.MAX_SAFE_INTEGER,
    revision: 'f'.repeat(12),
    ...devices,
  };
}
