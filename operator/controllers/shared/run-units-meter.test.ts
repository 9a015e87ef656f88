// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { dnsLabel } from '#crds/v1alpha1/meta';
import { API_VERSION } from '#crds/v1alpha1/names';
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import type { Ledger } from '../../core/tenant/tenant.ts';
import { RunUnitsMeter } from './run-units-meter.ts';

function ledger(name: string, runUnits?: string): Ledger {
  return {
    apiVersion: API_VERSION,
    kind: 'QuotaLedger',
    metadata: { name, uid: `uid-of-${name}` },
    spec: { tenantUID: 'tenant-uid', suspended: false },
    status: {
      ...(runUnits !== undefined && { usage: { windows: [], tiers: [{ tier: 'standard', runUnits }] } }),
    },
  };
}

function meterOf(maxTenants: number) {
  const told: string[] = [];
  const meter = new RunUnitsMeter({
    maxTenants,
    count: ({ tenant, tier }, runUnits) => told.push(`${tenant} ${tier} ${runUnits}`),
  });
  return { meter, told };
}

test('what is counted is told once, and not what was there before', (t) => {
  const { meter, told } = meterOf(10);
  for (const units of ['5.5', '5.5', '6.75', '6.75']) meter.see(ledger('acme', units));
  meter.see(ledger('new'));
  meter.see(ledger('new', '2'));
  t.deepEqual(told, ['acme standard 1.25', 'new standard 2']);
});

test('tenants beyond the cap are told together, and those within it keep their names', (t) => {
  const { meter, told } = meterOf(2);
  const names = ['a', 'b', 'c', 'd'];
  for (const name of names) meter.see(ledger(name));
  for (const name of names) meter.see(ledger(name, '1'));
  for (const name of names.toReversed()) meter.see(ledger(name, '3'));
  t.deepEqual(told, [
    'a standard 1',
    'b standard 1',
    '_other standard 1',
    '_other standard 1',
    '_other standard 2',
    '_other standard 2',
    'b standard 2',
    'a standard 2',
  ]);
});

function paying(name: string, cost: string | undefined): Ledger {
  const tiers = [{ tier: 'heavy' as const, runUnits: '1', ...(cost !== undefined && { cost }) }];
  return { ...ledger(name), status: { usage: { windows: [], tiers } } };
}

test('cost is told in millionths, beside run units and like these', (t) => {
  const told: string[] = [];
  const meter = new RunUnitsMeter({
    maxTenants: 1,
    count: () => undefined,
    countCost: ({ tenant, tier }, micros) => told.push(`${tenant} ${tier} ${micros}`),
  });
  for (const cost of [undefined, '0.000001', '0.000001', '2.5']) meter.see(paying('acme', cost));
  meter.see(paying('other', '7'));
  meter.see(paying('other', '8'));
  t.deepEqual(told, ['acme heavy 1', 'acme heavy 2499999', '_other heavy 1000000']);
});

test('what others have counted while they led is not told again', (t) => {
  const { meter, told } = meterOf(10);
  for (const units of ['5', '6']) meter.see(ledger('acme', units));
  meter.startAnew();
  for (const units of ['9', '9.5']) meter.see(ledger('acme', units));
  t.deepEqual(told, ['acme standard 1', 'acme standard 0.5']);
});

test('of those that this process has worked on all the while, all is told', (t) => {
  const { meter, told } = meterOf(10);
  for (const name of ['kept', 'gained']) meter.see(ledger(name, '5'));
  meter.startAnew((name) => name === 'gained');
  for (const name of ['kept', 'gained']) meter.see(ledger(name, '7'));
  meter.see(ledger('gained', '8'));
  t.deepEqual(told, ['kept standard 2', 'gained standard 1']);
});

test('of a ledger that is gone nothing is kept', (t) => {
  const { meter, told } = meterOf(10);
  meter.see(ledger('acme', '5'));
  meter.forget(ledger('acme'));
  meter.see(ledger('acme', '6'));
  t.deepEqual(told, []);
});

test('with no names at all everything is told as others', (t) => {
  const { meter, told } = meterOf(0);
  meter.see(ledger('a'));
  meter.see(ledger('a', '1'));
  t.deepEqual(told, ['_other standard 1']);
});

test('no tenant can be taken for the others, whatever it is named', (t) => {
  const { meter, told } = meterOf(1);
  for (const name of ['other', 'b']) {
    meter.see(ledger(name));
    meter.see(ledger(name, '1'));
  }
  const [own, rest] = told.map((line) => line.split(' ', 1)[0]);
  t.is(own, 'other');
  t.false(dnsLabel('A tenant.').safeParse(rest).success);
});

function withPlaces(reservations: readonly Partial<Reservation>[]): Ledger {
  const made = reservations.map((one, i) => ({ ...PLACE, uid: `run-${i}`, ...one }));
  const lastSerial = Math.max(0, ...made.map(({ serial = 0 }) => serial));
  const { status, ...rest } = ledger('acme');
  return { ...rest, status: { ...status, reservations: made, lastSerial } };
}

const PLACE = { namespace: 'acme-main', name: 'r', agent: 'a', attempt: 1 };
const CALLED = { call: { parent: 'p', attempt: 1, root: 'p', rootName: 'above', depth: 1 } };

test('Runs that others call are told when they have a place for the first time, once', (t) => {
  const told: string[] = [];
  const meter = new RunUnitsMeter({
    maxTenants: 1,
    count: () => t.fail('nothing was used'),
    countChildren: ({ tenant }, runs) => told.push(`${tenant} ${runs}`),
  });
  const before = { ...CALLED, serial: 1 };
  meter.see(withPlaces([before]));
  meter.see(withPlaces([before, { serial: 2 }, { ...CALLED, serial: 3 }, { ...CALLED, serial: 4 }]));
  meter.see(withPlaces([{ serial: 2 }, { ...CALLED, serial: 4 }]));
  meter.see(withPlaces([{ ...CALLED, attempt: 2, serial: 5 }]));
  meter.startAnew();
  meter.see(withPlaces([{ ...CALLED, serial: 6 }]));
  meter.see(withPlaces([{ ...CALLED, serial: 7 }]));
  t.deepEqual(told, ['acme 2', 'acme 1']);
});
