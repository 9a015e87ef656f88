// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { API_VERSION } from '#crds/v1alpha1/names';
import type { QuotaLedgerStatus, Reservation } from '#crds/v1alpha1/quota-ledger';
import type { RunStatus } from '#crds/v1alpha1/run';
import { type Plan, statusOnly } from '../plan.ts';
import { ago, makeRun, NOW } from '../run/testing/make.ts';
import type { Run } from '../run/run.ts';
import type { Ledger } from '../tenant/tenant.ts';
import { releaseTogether } from './release-together.ts';

function reservation(uid: string, more: Partial<Reservation> = {}): Reservation {
  return { uid, namespace: 'acme-dev', name: uid, agent: 'agent', attempt: 1, ...more };
}

function runOf(uid: string, status?: RunStatus): Run {
  const run = makeRun({}, status);
  return { ...run, metadata: { ...run.metadata, uid, name: uid } };
}

function ended(seconds: number): RunStatus {
  return { phase: 'Succeeded', attempt: 1, finishedAt: ago(seconds) };
}

const [a, b] = [reservation('a'), reservation('b')];
const BEFORE: QuotaLedgerStatus = { observedGeneration: 1, reservations: [a, b], lastSerial: 2 };
const LEDGER: Ledger = {
  apiVersion: API_VERSION,
  kind: 'QuotaLedger',
  metadata: { name: 'acme', uid: 'ledger-uid', generation: 1 },
  spec: { tenantUID: 'tenant-uid', suspended: false, namespaces: ['acme-dev'] },
  status: BEFORE,
};
const WITHOUT_A: QuotaLedgerStatus = { ...BEFORE, reservations: [b] };
const NEITHER: QuotaLedgerStatus = { ...BEFORE, reservations: [] };
const removed = { apiVersion: 'v1', kind: 'ResourceQuota', namespace: 'acme-dev', name: 'x', uid: 'y' };

interface Case {
  readonly runs: readonly Run[];
  /** What the pass wants to write. */
  readonly wants?: QuotaLedgerStatus;
  readonly before?: QuotaLedgerStatus;
  readonly plan?: Partial<Plan<QuotaLedgerStatus>>;
  /** Undefined: it is written now. */
  readonly putOffMs?: number;
}

const OTHERS = Array.from({ length: 59 }, (_, i) => reservation(`other-${i}`));
const MANY = Array.from({ length: 999 }, (_, i) => reservation(`other-${i}`));
const running = runOf('b', { phase: 'Running', attempt: 1 });

const cases: Record<string, Case> = {
  'a Run that has just ended, and nobody waits': { runs: [runOf('a', ended(0)), running], putOffMs: 4000 },
  'sixty go on, which are written again with it': {
    runs: [runOf('a', ended(0)), running],
    before: { ...BEFORE, reservations: [reservation('a'), ...OTHERS] },
    wants: { ...BEFORE, reservations: OTHERS },
    putOffMs: 6000,
  },
  'however many go on': {
    runs: [runOf('a', ended(0)), running],
    before: { ...BEFORE, reservations: [reservation('a'), ...MANY] },
    wants: { ...BEFORE, reservations: MANY },
    putOffMs: 10_000,
  },
  'its time is over': { runs: [runOf('a', ended(4)), running] },
  'the first of two counts': {
    runs: [runOf('a', ended(1)), runOf('b', ended(0))],
    wants: NEITHER,
    putOffMs: 3000,
  },
  'somebody wants quota, admitted or not': { runs: [runOf('a', ended(0)), running, runOf('c')] },
  'who is about to start has what he wants': {
    runs: [runOf('a', ended(0)), runOf('b')],
    putOffMs: 4000,
  },
  'somebody is admitted': {
    runs: [runOf('a', ended(0)), runOf('c')],
    wants: { ...BEFORE, reservations: [b, reservation('c')], lastSerial: 3 },
  },
  'a reservation that was lost is put in': {
    runs: [runOf('a', ended(0)), runOf('c', { phase: 'Running', attempt: 1 })],
    wants: { ...BEFORE, reservations: [b, reservation('c')] },
  },
  'one that goes on is to be paused': {
    runs: [runOf('a', ended(0)), running],
    wants: { ...BEFORE, reservations: [{ ...b, overspent: 'hour' }] },
  },
  'it holds devices, which other tenants may wait for': {
    runs: [runOf('a', ended(0)), running],
    before: { ...BEFORE, reservations: [reservation('a', { gpuClass: 'h100', gpus: 1 }), b] },
  },
  'its Run is gone': { runs: [running] },
  'its Run is back in the queue': { runs: [runOf('a', { phase: 'Queued', attempt: 1 }), running] },
  'its Run does not say when it ended': {
    runs: [runOf('a', { phase: 'Succeeded', attempt: 1 }), running],
  },
  'it ended in the future, by a clock that went back': { runs: [runOf('a', ended(-60)), running] },
  'something else changes with it': {
    runs: [runOf('a', ended(0)), running],
    wants: { ...WITHOUT_A, startDueMicros: 5 },
  },
  'something is to be done with it': {
    runs: [runOf('a', ended(0)), running],
    plan: { remove: [{ ref: removed }] },
  },
  'somebody waits for the time': {
    runs: [runOf('a', ended(0)), running],
    plan: { result: { kind: 'requeueAfter', afterMs: 10, why: 'for the rate' } },
  },
  'nothing is given back': { runs: [running], wants: BEFORE },
};

for (const [name, { runs, wants = WITHOUT_A, before = BEFORE, plan: more, putOffMs }] of Object.entries(
  cases,
)) {
  test(`given back together: ${name}`, (t) => {
    const plan = { ...statusOnly(wants), ...more };
    const got = releaseTogether({ ...LEDGER, status: before }, plan, { runs, now: NOW });
    if (putOffMs === undefined) t.is(got, plan);
    else {
      t.is(got.status, before, 'nothing is written');
      t.like(got.result, { kind: 'requeueAfter', afterMs: putOffMs });
    }
  });
}

test('a ledger without status is written', (t) => {
  const { status: _, ...fresh } = LEDGER;
  const plan = statusOnly(BEFORE);
  t.is(releaseTogether(fresh, plan, { runs: [], now: NOW }), plan);
});
