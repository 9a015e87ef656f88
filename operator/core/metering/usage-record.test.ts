// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { API_VERSION } from '#crds/v1alpha1/names';
import type { LedgerWindowUse, UsageHistory, WindowUse } from '#crds/v1alpha1/usage-history';
import { USAGE_RECORD, type UsageRecordSpec } from '#crds/v1alpha1/usage-record';
import { NOTHING_OF_LEDGER } from '../quota/testing/make-ledger.ts';
import { planLedger } from '../quota/ledger.ts';
import type { Ledger } from '../tenant/tenant.ts';
import { bookAttempts } from './history.ts';
import { makeAttempt, yearOldHistory } from './testing/old-history.ts';
import {
  hasSealed,
  needsRecord,
  numberedOn,
  recordChange,
  type SeenRecord,
  seenRecord,
  withoutRecorded,
} from './usage-record.ts';

const NOW = new Date('2026-11-21T12:34:56Z');

function hour(clock: number, units: string, sealed?: number): LedgerWindowUse {
  return {
    window: 'hour',
    start: `2026-11-21T${String(clock).padStart(2, '0')}:00:00Z`,
    attempts: 1,
    amounts: { cpuSeconds: units, memoryByteSeconds: '0', gpuSeconds: '0', runUnits: units },
    ...(sealed !== undefined && { sealed }),
  };
}

function ledgerOf(windows: readonly LedgerWindowUse[]): Ledger {
  return {
    apiVersion: API_VERSION,
    kind: 'QuotaLedger',
    metadata: { name: 'acme', uid: 'ledger-uid', generation: 1, resourceVersion: '7' },
    spec: { tenantUID: 'tenant-uid', suspended: false, namespaces: [] },
    status: { usage: { windows: [...windows], tiers: [] } },
  };
}

function recordOf(spec: Partial<UsageRecordSpec>): SeenRecord {
  const whole = { tenantUID: 'tenant-uid', ledgerUID: 'ledger-uid', merged: 0, windows: [], ...spec };
  const metadata = { name: 'acme', uid: 'record-uid', resourceVersion: '3' };
  return seenRecord(ledgerOf([]), { apiVersion: API_VERSION, kind: 'UsageRecord', metadata, spec: whole });
}

interface Case {
  readonly windows: readonly LedgerWindowUse[];
  readonly seen: SeenRecord | undefined;
  /** How the record is written, and what it says then: start and run units of its windows. */
  readonly wants?: {
    readonly how: 'create' | 'replace';
    readonly merged: number;
    readonly units: readonly string[];
  };
  /** Run units of the windows that stay in the ledger. */
  readonly stays: readonly string[];
}

const ABSENT: SeenRecord = { kind: 'absent' };
const TEN: WindowUse = hour(10, '10');

const cases: Record<string, Case> = {
  'what is sealed goes into a record that is made for it, and stays until it is seen there': {
    windows: [hour(12, '1'), hour(11, '2', 2), hour(10, '10', 1)],
    seen: ABSENT,
    wants: { how: 'create', merged: 2, units: ['2', '10'] },
    stays: ['1', '2', '10'],
  },
  'what the record has leaves the ledger, and is not added again': {
    windows: [hour(12, '1'), hour(11, '2', 2), hour(10, '10', 1)],
    seen: recordOf({ merged: 2, windows: [hour(11, '2'), TEN] }),
    stays: ['1'],
  },
  'what was sealed since is added': {
    windows: [hour(12, '1'), hour(11, '2', 2), hour(10, '10', 1)],
    seen: recordOf({ merged: 1, windows: [TEN] }),
    wants: { how: 'replace', merged: 2, units: ['2', '10'] },
    stays: ['1', '2'],
  },
  'what came late is added to its window': {
    windows: [hour(12, '1'), hour(10, '0.5', 9)],
    seen: recordOf({ merged: 8, windows: [TEN] }),
    wants: { how: 'replace', merged: 9, units: ['10.5'] },
    stays: ['1', '0.5'],
  },
  'what is not sealed is not the record’s': {
    windows: [hour(12, '1'), hour(11, '2')],
    seen: ABSENT,
    stays: ['1', '2'],
  },
  'another ledger begins anew with its numbers': {
    windows: [hour(12, '1'), hour(11, '2', 1)],
    seen: recordOf({ ledgerUID: 'a former one', merged: 99, windows: [TEN] }),
    wants: { how: 'replace', merged: 1, units: ['2', '10'] },
    stays: ['1', '2'],
  },
  'who has not looked changes nothing': {
    windows: [hour(12, '1'), hour(11, '2', 1)],
    seen: undefined,
    stays: ['1', '2'],
  },
};

for (const [name, { windows, seen, wants, stays }] of Object.entries(cases)) {
  test(name, (t) => {
    const ledger = ledgerOf(windows);
    const { create, replace } = recordChange(ledger, seen, NOW) ?? {};
    const written = create ?? replace;
    const spec = written?.['spec'] as UsageRecordSpec | undefined;
    const how = create === undefined ? 'replace' : 'create';
    t.deepEqual(
      spec && { how, merged: spec.merged, units: spec.windows.map(({ amounts }) => amounts.runUnits) },
      wants as typeof wants & object,
    );
    if (spec !== undefined) {
      t.deepEqual(USAGE_RECORD.spec.parse(spec), spec);
      t.is(spec.ledgerUID, 'ledger-uid');
    }
    if (replace !== undefined) t.is(replace.metadata.resourceVersion, '3', 'on the version that was read');
    t.deepEqual(
      withoutRecorded(ledger, seen)?.windows.map(({ amounts }) => amounts.runUnits),
      [...stays],
    );
  });
}

test('a record goes with its Tenant', (t) => {
  const { create } = recordChange(ledgerOf([hour(10, '10', 1)]), ABSENT, NOW) ?? {};
  t.like(create?.metadata, {
    name: 'acme',
    ownerReferences: [{ kind: 'Tenant', name: 'acme', uid: 'tenant-uid' }],
  });
});

test('that of a former tenant of the name is removed, that very object, and then another one is made', (t) => {
  const ledger = ledgerOf([hour(12, '1'), hour(10, '10', 1)]);
  const former = recordOf({ tenantUID: 'another', merged: 5, windows: [TEN] });
  t.like(recordChange(ledger, former, NOW), { remove: { ref: { kind: 'UsageRecord', uid: 'record-uid' } } });
  t.is(withoutRecorded(ledger, former), ledger.status?.usage);
});

test('one that goes takes nothing over, and is looked at until it is gone', (t) => {
  const ledger = ledgerOf([hour(12, '1'), hour(11, '2', 2), hour(10, '10', 1)]);
  const found = recordOf({ merged: 1, windows: [TEN] });
  if (found.kind !== 'found') return t.fail(found.kind);
  const { record } = found;
  const deletionTimestamp = '2026-11-21T12:34:00Z';
  const going = seenRecord(ledger, { ...record, metadata: { ...record.metadata, deletionTimestamp } });
  const plan = planLedger(ledger, { ...NOTHING_OF_LEDGER, record: going }, NOW);
  t.deepEqual([plan.create, plan.replace, plan.remove], [[], [], []]);
  t.deepEqual(plan.status.usage, ledger.status?.usage);
  t.like(plan.result, { kind: 'requeueAfter', afterMs: 1000 });
  const after = recordChange(ledger, ABSENT, NOW)?.create?.['spec'] as UsageRecordSpec;
  t.deepEqual(unitsByWindow(after.windows), unitsByWindow([hour(11, '2'), TEN]));
  return undefined;
});

const numbers: Record<
  string,
  { readonly seen: SeenRecord | undefined; readonly lastSealed?: number; readonly want: number | undefined }
> = {
  'lost, where the record has some': { seen: recordOf({ merged: 66 }), want: 66 },
  'lost, where the record has those of another ledger': {
    seen: recordOf({ ledgerUID: 'a former one', merged: 66 }),
    want: 0,
  },
  'lost, and there is no record': { seen: ABSENT, want: 0 },
  'lost, and nobody has looked': { seen: undefined, want: undefined },
  'higher than the record has': { seen: recordOf({ merged: 66 }), lastSealed: 68, want: 68 },
  'lower than the record has': { seen: recordOf({ merged: 66 }), lastSealed: 2, want: 66 },
};

for (const [name, { seen, lastSealed, want }] of Object.entries(numbers)) {
  test(`numbers: ${name}`, (t) => {
    const usage = { windows: [], tiers: [], ...(lastSealed !== undefined && { lastSealed }) };
    t.is(numberedOn(usage, ledgerOf([]), seen)?.lastSealed, want);
  });
}

test('numbers that an operator of before has lost go on where the record is, and nothing is dropped from both', (t) => {
  const ledger = ledgerOf([hour(10, '10')]);
  t.true(needsRecord(ledger, NOW), 'it does not say which number was given last');
  const seen = recordOf({ merged: 66 });
  const usage = bookAttempts(
    numberedOn(withoutRecorded(ledger, seen), ledger, seen),
    [makeAttempt('2026-11-21T12:34:50Z', 10)],
    NOW,
  ) as UsageHistory;
  const booked = { ...ledger, status: { usage } };
  t.is(usage.lastSealed, 67);
  t.is(withoutRecorded(booked, seen)?.windows.length, usage.windows.length);
  t.like(recordChange(booked, seen, NOW)?.replace?.['spec'], { merged: 67, windows: [hour(10, '10')] });
});

test('who has used nothing, or knows its numbers and has nothing sealed, asks for no record', (t) => {
  const { status: _, ...unused } = ledgerOf([]);
  t.false(needsRecord(unused, NOW));
  const usage = { windows: [hour(12, '1')], tiers: [], lastSealed: 0 };
  t.false(needsRecord({ ...unused, status: { usage } }, NOW));
  t.is(
    bookAttempts(
      undefined,
      [makeAttempt('2026-11-20T12:00:00Z', 1), makeAttempt('2026-11-21T12:00:00Z', 1)],
      NOW,
    )?.lastSealed,
    undefined,
  );
});

function unitsByWindow(windows: readonly WindowUse[]): ReadonlyMap<string, string> {
  return new Map(windows.map((one) => [`${one.window} ${one.start}`, one.amounts.runUnits]));
}

const PRESENT: ReadonlySet<string> = new Set([
  '2026-11-21T12:00:00Z',
  '2026-11-21T00:00:00Z',
  '2026-11-01T00:00:00Z',
]);

/** A ledger of before, and what it tells of each window that is over. */
function oldLedger(): { readonly ledger: Ledger; readonly units: ReadonlyMap<string, string> } {
  const usage = yearOldHistory(NOW);
  const past = usage.windows.filter(({ window, start }) => {
    const isPresent = PRESENT.has(start) && !(window === 'day' && start === '2026-11-01T00:00:00Z');
    return window !== 'minute' && !isPresent;
  });
  return { ledger: { ...ledgerOf([]), status: { usage } }, units: unitsByWindow(past) };
}

function bytesOf(value: unknown): number {
  return JSON.stringify(value).length;
}

test('a tenant of thirteen months: the ledger of before gives its history away, and each write of it is a tenth', (t) => {
  const { ledger, units } = oldLedger();
  const usage = bookAttempts(
    ledger.status?.usage,
    [makeAttempt('2026-11-21T12:34:50Z', 10)],
    NOW,
  ) as UsageHistory;
  const booked = { ...ledger, status: { usage } };
  t.true(hasSealed(booked));
  const { create } = recordChange(booked, ABSENT, NOW) ?? {};
  const given = seenRecord(booked, create);
  const after = withoutRecorded(booked, given);
  const was = bytesOf(ledger.status?.usage);
  const is = bytesOf(after);
  t.log(`usage in each write of a ledger: ${was} bytes before, ${is} now; its record ${bytesOf(create)}`);
  t.true(was > 10_000 && is * 8 < was, `${was} and ${is} bytes`);
  t.deepEqual(
    after?.windows.map(({ window }) => window),
    ['minute', 'hour', 'day', 'month'],
  );
  const spec = create?.['spec'] as UsageRecordSpec;
  const told = unitsByWindow([...(after?.windows ?? []), ...spec.windows]);
  for (const [key, before] of units) t.is(told.get(key), before, key);
  t.is(told.get('month 2026-11-01T00:00:00Z'), '4577.754321', 'the present month goes on');
});

test('each ledger that has something for its record comes back to see that it is there', (t) => {
  const ledger = ledgerOf([hour(12, '1'), hour(11, '2', 1)]);
  const planned = planLedger(ledger, { ...NOTHING_OF_LEDGER, record: ABSENT }, NOW);
  t.like(planned, { create: [{ kind: 'UsageRecord' }], result: { kind: 'requeueAfter' } });
  const seen = recordOf({ merged: 1, windows: [hour(11, '2')] });
  const next = planLedger(ledger, { ...NOTHING_OF_LEDGER, record: seen }, NOW);
  t.deepEqual(next.status.usage?.windows.length, 1);
  t.deepEqual([next.create, next.replace, next.remove, next.result.kind], [[], [], [], 'done']);
});
