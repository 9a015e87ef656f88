// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { NOW } from '../run/testing/make.ts';
import { parseAmounts } from './amounts.ts';
import { beside, handoverPlace, settleHandovers } from './handover.ts';
import { planLedger } from './ledger.ts';
import {
  countedQuota,
  heldRun,
  NAMESPACE,
  namedAgent,
  namedRun,
  preemptingLedger,
} from './testing/make-held.ts';
import { NOTHING_OF_LEDGER } from './testing/make-ledger.ts';

function reservation(serial: number, awaits?: number[]): Reservation {
  const name = `r${serial}`;
  const waits = awaits === undefined ? {} : { awaits };
  return { uid: name, namespace: NAMESPACE, name, agent: 'agent', attempt: 1, serial, ...waits };
}

const cpu = (count: string) => ({ 'requests.cpu': count });

const settled: Record<string, { readonly held: readonly Reservation[]; readonly want: readonly unknown[] }> =
  {
    'who is still held is awaited': { held: [reservation(1), reservation(2, [1])], want: [undefined, [1]] },
    'who was given back is not': { held: [reservation(1), reservation(2, [1, 3])], want: [undefined, [1]] },
    'who awaits nobody any more still waits for quota in its namespace': {
      held: [reservation(2, [1])],
      want: [[]],
    },
  };

for (const [name, { held, want }] of Object.entries(settled)) {
  test(`handover: ${name}`, (t) => {
    t.deepEqual(
      settleHandovers(held, false).map(({ awaits }) => awaits),
      [...want],
    );
  });
}

test('what is not changed stays the same object, so that it costs no write', (t) => {
  const held = [reservation(1), reservation(2, [1])];
  t.true(settleHandovers(held, false).every((one, i) => one === held[i]));
});

test('while the tenant is suspended nobody goes on waiting for a place', (t) => {
  t.deepEqual(settleHandovers([reservation(1), reservation(2, [1])], true), [reservation(1)]);
});

test('what is taken over is counted once', (t) => {
  const [wanted, given] = [
    { cpu: '3', pods: '1' },
    { cpu: '2', pods: '1' },
  ].map(parseAmounts);
  t.deepEqual(beside(wanted!, [given!]), parseAmounts({ cpu: '1', pods: '0' }));
});

test('who waits is told for whose end', (t) => {
  const held = Array.from({ length: 7 }, (_, i) => reservation(i + 1));
  t.regex(handoverPlace(reservation(9, [1]), held)?.message ?? '', /have ended: acme-dev\/r1$/);
  t.regex(handoverPlace(reservation(9, [1, 2, 3, 4, 5, 6]), held)?.message ?? '', /r5 and 1 more$/);
  t.regex(handoverPlace(reservation(9, []), held)?.message ?? '', /being moved to its namespace/);
  t.is(handoverPlace(reservation(9), held), undefined);
});

test('a place is handed over by one write, and the Run starts when it was given back and its namespace has the quota', (t) => {
  const core = { container: { image: 'x', resources: { requests: { cpu: '4' } } } };
  const { run, reservation: low } = heldRun(1, 'low');
  const high = namedRun('high', { priority: 10, namespace: 'acme-prod' });
  const hard = { 'requests.cpu': '4' };
  const namespaces = [NAMESPACE, 'acme-prod'];
  const ledger = preemptingLedger({ hard, namespaces }, [low]);
  const quotas = (here: readonly [string, string], there: readonly [string, string]) =>
    new Map(
      [here, there].map(([allowed, used], i) => {
        const namespace = namespaces[i] ?? '';
        return [namespace, countedQuota(namespace, cpu(allowed), cpu(used))] as const;
      }),
    );
  const agents = new Map(namedAgent('agent', core));
  const seen = { ...NOTHING_OF_LEDGER, agents, runs: [run, high], started: new Set(['low']) };

  const first = planLedger(ledger, { ...seen, quotas: quotas(['4', '4'], ['0', '0']) }, NOW).status;
  const preemptedBy = { namespace: 'acme-prod', name: 'high', priority: 10 };
  t.like(first.reservations?.[0], { name: 'low', serial: 1, preemptedBy });
  t.like(first.reservations?.[1], { name: 'high', serial: 2, awaits: [1] });
  t.is(first.reservations?.length, 2);

  const again = planLedger(
    { ...ledger, status: first },
    { ...seen, quotas: quotas(['4', '4'], ['0', '0']) },
    NOW,
  );
  t.deepEqual(again.status.reservations, first.reservations, 'nothing more is written');

  const back = { ...run, status: { ...run.status, phase: 'Queued' as const } };
  const given = { ...seen, runs: [back, high], started: new Set<string>() };
  const second = planLedger(
    { ...ledger, status: first },
    { ...given, quotas: quotas(['4', '0'], ['0', '0']) },
    NOW,
  ).status;
  t.deepEqual(
    second.reservations?.map(({ name, awaits }) => [name, awaits]),
    [['high', []]],
    'the place is its own, and its quota is still elsewhere',
  );
  const third = planLedger(
    { ...ledger, status: second },
    { ...given, quotas: quotas(['0', '0'], ['4', '0']) },
    NOW,
  ).status;
  t.deepEqual(
    third.reservations?.map(({ name, awaits }) => [name, awaits]),
    [['high', undefined]],
  );
});

test('who leaves while it waits gives its place up; those that were told end all the same', (t) => {
  const marked = heldRun(1, 'low', {
    reservation: { preemptedBy: { namespace: NAMESPACE, name: 'high', priority: 10 } },
  });
  const gone = namedRun('high', { priority: 10, spec: { cancel: true }, status: { phase: 'Cancelled' } });
  const waiting: Reservation = { ...reservation(2, [1]), uid: 'high', name: 'high' };
  const ledger = preemptingLedger({ maxConcurrentRuns: 1 }, [marked.reservation, waiting]);
  const observed = {
    ...NOTHING_OF_LEDGER,
    agents: new Map(namedAgent('agent')),
    runs: [marked.run, gone],
  };
  t.deepEqual(planLedger(ledger, observed, NOW).status.reservations, [marked.reservation]);
});

for (const [name, { spec, taken = [], want }] of Object.entries({
  'as long as its quota can come': { spec: {}, want: ['high'] },
  'until the quota is lowered below what it wants': { spec: { hard: { 'requests.cpu': '3' } }, want: [] },
  'until its namespace is no part of the tenant any more': { spec: { namespaces: ['acme-prod'] }, want: [] },
  "until somebody else's quota stands where its own is to be": { spec: {}, taken: [NAMESPACE], want: [] },
})) {
  test(`who takes over keeps its place ${name}`, (t) => {
    const core = { container: { image: 'x', resources: { requests: { cpu: '4' } } } };
    const waiting: Reservation = { ...reservation(2, []), uid: 'high', name: 'high' };
    const ledger = preemptingLedger({ hard: { 'requests.cpu': '4' }, ...spec }, [waiting]);
    const observed = {
      ...NOTHING_OF_LEDGER,
      agents: new Map(namedAgent('agent', core)),
      runs: [namedRun('high', { priority: 10 })],
      quotas: new Map([[NAMESPACE, countedQuota(NAMESPACE, cpu('0'), cpu('0'))]]),
      taken: new Set(taken),
    };
    const { reservations = [] } = planLedger(ledger, observed, NOW).status;
    t.deepEqual(
      reservations.map((one) => one.name),
      want,
    );
  });
}
