// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { API_VERSION } from '#crds/v1alpha1/names';
import type { LedgerWindowUse } from '#crds/v1alpha1/usage-history';
import { agentKey } from '../agent/agent.ts';
import { makeAttempt } from '../metering/testing/old-history.ts';
import { needsRecord, type SeenRecord, seenRecord } from '../metering/usage-record.ts';
import type { Run } from '../run/run.ts';
import { makeAgent, makeRun } from '../run/testing/make.ts';
import type { Ledger } from '../tenant/tenant.ts';
import { planLedger } from './ledger.ts';
import { NOTHING_OF_LEDGER } from './testing/make-ledger.ts';

const NAMESPACE = 'acme-dev';
const AHEAD = new Date('2026-11-21T14:20:00Z');
const RIGHT = new Date('2026-11-21T12:25:00Z');
const ABSENT: SeenRecord = { kind: 'absent' };
const agent = makeAgent();
const agents = new Map([[agentKey(NAMESPACE, agent.metadata.name), agent]]);

function hour(start: string, units: string): LedgerWindowUse {
  const amounts = { cpuSeconds: units, memoryByteSeconds: '0', runUnits: units };
  return { window: 'hour', start, attempts: 1, amounts };
}

/** A tenant with 100 run units an hour. */
function ledgerOf(status: Ledger['status']): Ledger {
  return {
    apiVersion: API_VERSION,
    kind: 'QuotaLedger',
    metadata: { name: 'acme', uid: 'ledger-uid', generation: 1, resourceVersion: '7' },
    spec: {
      tenantUID: 'tenant-uid',
      suspended: false,
      namespaces: [NAMESPACE],
      budgets: [{ unit: 'runUnits', window: 'hour', limit: 100 }],
    },
    ...(status !== undefined && { status }),
  };
}

function runOf(uid: string, run: Run): Run {
  return { ...run, metadata: { ...run.metadata, name: uid, uid } };
}

/** A Run that holds a reservation and has ended. */
function endedAt(settledAt: string): Run {
  const attempts = [makeAttempt(settledAt, 1, { reservation: 1 })];
  return runOf('h', makeRun({}, { phase: 'Succeeded', attempt: 1, usage: { attempts } }));
}

/** The ledger after a pass, and what that did with the record. */
function passed(ledger: Ledger, runs: readonly Run[], { now, seen }: { now: Date; seen?: SeenRecord }) {
  const observed = { ...NOTHING_OF_LEDGER, agents, runs, ...(seen !== undefined && { record: seen }) };
  const { status, create } = planLedger(ledger, observed, now);
  return { ledger: { ...ledger, status }, create };
}

/** All 100 were used by 12:15, and then one attempt was counted by a clock that was two hours ahead. */
function afterClockAhead(): { readonly ledger: Ledger; readonly seen: SeenRecord } {
  const held = { uid: 'h', namespace: NAMESPACE, name: 'h', agent: 'agent', attempt: 1, serial: 1 };
  const usage = { windows: [hour('2026-11-21T12:00:00Z', '100')], tiers: [], lastSealed: 0 };
  const before = ledgerOf({ usage, reservations: [{ ...held, runUnits: '1' }], lastSerial: 1 });
  const counted = passed(before, [endedAt('2026-11-21T14:20:00Z')], { now: AHEAD });
  const given = passed(counted.ledger, [], { now: AHEAD, seen: ABSENT });
  const record = given.create.find(({ kind }) => kind === 'UsageRecord');
  const seen = seenRecord(given.ledger, record);
  return { ledger: passed(given.ledger, [], { now: AHEAD, seen }).ledger, seen };
}

const waiting = runOf('a', makeRun({ estimate: { runUnits: 50 } }));

function admitted({ ledger }: { readonly ledger: Ledger }): readonly string[] {
  return (ledger.status?.reservations ?? []).map(({ uid }) => uid);
}

test('a budget that is used up stays so when a clock that was ahead has sealed its window', (t) => {
  const { ledger, seen } = afterClockAhead();
  const hours = (ledger.status?.usage?.windows ?? []).filter(({ window }) => window === 'hour');
  t.deepEqual(
    hours.map(({ start }) => start),
    ['2026-11-21T14:00:00Z'],
  );
  t.true(needsRecord(ledger, RIGHT));
  t.deepEqual(admitted(passed(ledger, [waiting], { now: RIGHT, seen })), []);
  const nextHour = new Date('2026-11-21T13:00:00Z');
  t.true(needsRecord(ledger, nextHour));
  t.deepEqual(admitted(passed(ledger, [waiting], { now: nextHour, seen })), ['a'], 'the hour is over');
});

test('nor is it spent again when attempts are counted in another part of that window', (t) => {
  const { ledger, seen } = afterClockAhead();
  const usage = ledger.status?.usage;
  if (usage === undefined) return t.fail();
  const windows = [hour('2026-11-21T12:00:00Z', '1'), ...usage.windows];
  const both = { ...ledger, status: { ...ledger.status, usage: { ...usage, windows } } };
  t.true(needsRecord(both, RIGHT));
  const after = passed(both, [waiting], { now: RIGHT, seen });
  t.deepEqual(admitted(after), []);
  t.deepEqual(after.ledger.status.usage, both.status.usage, 'what the record has is not written again');
  return undefined;
});

const asks: Record<
  string,
  { readonly starts: readonly string[]; readonly lastSealed: number; readonly want: boolean }
> = {
  'the present hour, and those before': { starts: ['12', '11'], lastSealed: 9, want: false },
  'no present hour': { starts: ['11'], lastSealed: 9, want: true },
  'no present hour, and none that was ever sealed': { starts: ['11'], lastSealed: 0, want: false },
  'an hour that has not begun': { starts: ['14', '12'], lastSealed: 0, want: true },
};

for (const [name, { starts, lastSealed, want }] of Object.entries(asks)) {
  test(`the record is asked for or not where the ledger has ${name}`, (t) => {
    const windows = starts.map((start) => hour(`2026-11-21T${start}:00:00Z`, '1'));
    const ledger = ledgerOf({ usage: { windows, tiers: [], lastSealed } });
    t.is(needsRecord(ledger, RIGHT), want);
    const { budgets: _, ...spec } = ledger.spec;
    t.false(needsRecord({ ...ledger, spec }, RIGHT), 'without budgets never');
  });
}
