// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { formatMetered, NOTHING_METERED } from '../metering/amounts.ts';
import { budgetsTurnMs, budgetUsage, nearlyUsed } from './budgets.ts';
import { makeLedger, makeTenant, NOW } from './testing/objects.ts';

const TENANT = makeTenant({
  quotas: {
    runUnits: [
      { window: 'hour', limit: 10 },
      { window: 'month', limit: '1k' },
    ],
    tokens: [{ window: 'day', limit: 1000 }],
  },
});
const UNITS = { ...NOTHING_METERED, runUnits: 8_500_000n };
const reserved = { namespace: 'acme-dev', agent: 'a', attempt: 1 };
const LEDGER = makeLedger(TENANT, {
  reservations: [
    { ...reserved, uid: 'a', name: 'a', runUnits: '1.25', tokens: '100' },
    { ...reserved, uid: 'b', name: 'b' },
  ],
  usage: {
    windows: [
      { window: 'hour', start: '2026-11-21T12:00:00Z', attempts: 1, amounts: formatMetered(UNITS) },
      { window: 'month', start: '2026-11-01T00:00:00Z', attempts: 1, amounts: formatMetered(UNITS) },
      {
        window: 'day',
        start: '2026-11-20T00:00:00Z',
        attempts: 1,
        amounts: formatMetered(UNITS),
        reported: { inputTokens: 900 },
      },
    ],
    tiers: [],
  },
});

const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1000);

test('use is told against every budget in its present window, beside what is reserved', (t) => {
  t.deepEqual(budgetUsage(TENANT, LEDGER, NOW), [
    { name: 'runUnits/hour', used: '8.5', reserved: '1.25', limit: '10' },
    { name: 'runUnits/month', used: '8.5', reserved: '1.25', limit: '1k' },
    { name: 'tokens/day', used: '0', reserved: '100', limit: '1k' },
  ]);
  t.is(budgetUsage(TENANT, LEDGER, later(3600))[0]?.used, '0', 'the next hour begins with none');
});

test('it is told again when a window ends in which something was used', (t) => {
  const afterMs = budgetsTurnMs(TENANT, LEDGER, later(60));
  t.true(afterMs >= 3540_000 && afterMs < 3570_000, String(afterMs));
  t.is(
    budgetsTurnMs(TENANT, LEDGER, later(61)),
    afterMs - 1000,
    'at the same instant, whenever it is asked for',
  );
  t.is(budgetsTurnMs(TENANT, undefined, NOW), Infinity);
});

test('of a thousand tenants no second has many that tell of the end of an hour', (t) => {
  const seconds = Array.from({ length: 1000 }, (_, i) => {
    const tenant = { ...TENANT, metadata: { ...TENANT.metadata, name: `tenant-${i}` } };
    return Math.floor(budgetsTurnMs(tenant, LEDGER, later(0)) / 1000);
  });
  const counts = [...Map.groupBy(seconds, (one) => one).values()].map(({ length }) => length);
  t.is(Math.min(...seconds), 3600, 'none before its end');
  t.true(Math.max(...counts) <= 60, `${Math.max(...counts)} in one second`);
});

test('what is used by four fifths deserves a look, and what is reserved does not count for that', (t) => {
  t.deepEqual(nearlyUsed(budgetUsage(TENANT, LEDGER, NOW)), ['runUnits/hour']);
  const minutely = [{ name: 'runUnits/minute', used: '10', reserved: '0', limit: '10' }];
  t.deepEqual(nearlyUsed(minutely), [], 'what a minute takes back is not told');
  const none = makeTenant({ quotas: { runUnits: [{ window: 'hour', limit: 0 }] } });
  t.deepEqual(nearlyUsed(budgetUsage(none, undefined, NOW)), []);
});

test('budgets of cost are told where the tenant has a price, and not where none holds them', (t) => {
  const tenant = makeTenant({ quotas: { cost: [{ window: 'hour', limit: '10' }] } });
  const start = '2026-11-21T12:00:00Z';
  const amounts = formatMetered({ ...NOTHING_METERED, cost: 8_500_000n });
  const usage = { windows: [{ window: 'hour' as const, start, attempts: 1, amounts }], tiers: [] };
  const reservations = [{ ...reserved, uid: 'a', name: 'a', cost: '0.5' }];
  const ledger = makeLedger(tenant, { reservations, usage });
  t.deepEqual(budgetUsage(tenant, ledger, NOW), []);
  const price = { currency: 'USD', runUnits: 1 };
  const priced = { ...ledger, spec: { ...ledger.spec, price } };
  const told = budgetUsage(tenant, priced, NOW);
  t.deepEqual(told, [{ name: 'cost/hour', used: '8.5', reserved: '0.5', limit: '10' }]);
  t.deepEqual(nearlyUsed(told), ['cost/hour']);
});
