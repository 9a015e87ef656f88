// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import type { MeteredAttempt, Rate } from '#crds/v1alpha1/run-usage';
import { KEPT_WINDOWS, usageHistory, type UsageHistory } from '#crds/v1alpha1/usage-history';
import { bookAttempts, monthCost, monthSummary, windowEndMs, windowStart } from './history.ts';
import { parseMicro } from './micro.ts';
import { makeRate, makeUse } from './testing/make.ts';

function ended(settledAt: string, seconds: number, rate: Partial<Rate> = {}): MeteredAttempt {
  const whole = makeRate({ cpuMillicores: 1000, ...rate });
  const pods = [makeUse(seconds, { toolCalls: 1, inputTokens: 100 })];
  return { attempt: 1, settledAt, rate: whole, pods };
}

const NOW = new Date('2026-11-01T01:30:00Z');

function unitsOf(history: UsageHistory | undefined): Record<string, string> {
  const windows = history?.windows ?? [];
  return Object.fromEntries(windows.map((one) => [`${one.window} ${one.start}`, one.amounts.runUnits]));
}

const starts = {
  minute: '2026-11-21T23:59:00Z',
  hour: '2026-11-21T23:00:00Z',
  day: '2026-11-21T00:00:00Z',
  month: '2026-11-01T00:00:00Z',
} as const;

for (const [window, want] of Object.entries(starts)) {
  test(`a ${window} begins in UTC`, (t) =>
    t.is(windowStart(window as keyof typeof starts, '2026-11-21T23:59:59Z'), want));
}

const ends = {
  minute: '2026-12-31T23:59:00Z',
  hour: '2026-12-31T23:00:00Z',
  day: '2026-12-31T00:00:00Z',
  month: '2026-12-01T00:00:00Z',
} as const;

for (const [window, start] of Object.entries(ends)) {
  test(`a ${window} ends with the year`, (t) =>
    t.is(windowEndMs(window as keyof typeof ends, start), Date.parse('2027-01-01T00:00:00Z')));
}

test('attempts count in the windows of their end', (t) => {
  const first = bookAttempts(undefined, [ended('2026-10-31T23:59:59Z', 10)], NOW);
  const history = bookAttempts(
    first,
    [ended('2026-11-01T00:00:00Z', 20), ended('2026-11-01T01:00:00Z', 30)],
    NOW,
  );
  t.deepEqual(unitsOf(history), {
    // Of minutes, only the last one is kept.
    'minute 2026-11-01T01:00:00Z': '30.1',
    'hour 2026-11-01T01:00:00Z': '30.1',
    'hour 2026-11-01T00:00:00Z': '20.1',
    'hour 2026-10-31T23:00:00Z': '10.1',
    'day 2026-11-01T00:00:00Z': '50.2',
    'day 2026-10-31T00:00:00Z': '10.1',
    'month 2026-11-01T00:00:00Z': '50.2',
    'month 2026-10-01T00:00:00Z': '10.1',
  });
  const month = history?.windows.find(
    (one) => one.start === '2026-11-01T00:00:00Z' && one.window === 'month',
  );
  t.like(month, { attempts: 2, reported: { toolCalls: 2, inputTokens: 200 } });
  t.is(monthSummary(history), '50.2 in 2026-11');
});

test('what an attempt has used is worked out once, for all windows that it counts in', (t) => {
  const reads: string[] = [];
  const attempts = ['2026-11-01T00:00:00Z', '2026-11-01T00:00:30Z', '2026-11-01T01:00:00Z'].map(
    (settledAt) => {
      const attempt = ended(settledAt, 10);
      const { runUnits } = attempt;
      return Object.defineProperty({ ...attempt }, 'runUnits', {
        get: () => {
          reads.push(settledAt);
          return runUnits;
        },
      });
    },
  );
  const history = bookAttempts(undefined, attempts, NOW);
  t.is(unitsOf(history)['day 2026-11-01T00:00:00Z'], '30.3');
  t.deepEqual(
    reads,
    attempts.map((one) => one.settledAt),
  );
});

test('tiers are added up apart', (t) => {
  const history = bookAttempts(
    undefined,
    [
      ended('2026-11-01T00:00:00Z', 10, { tier: 'ultra', tierPercent: 300 }),
      ended('2026-11-01T00:00:00Z', 10),
      ended('2026-11-01T00:00:00Z', 5),
    ],
    NOW,
  );
  t.deepEqual(history?.tiers, [
    { tier: 'standard', runUnits: '15.2' },
    { tier: 'ultra', runUnits: '30.1' },
  ]);
});

test('nothing that has ended changes nothing', (t) => {
  const history = bookAttempts(undefined, [ended('2026-11-01T00:00:00Z', 10)], NOW);
  t.is(bookAttempts(history, [], NOW), history);
  t.is(bookAttempts(undefined, [], NOW), undefined);
  t.is(monthSummary(undefined), undefined);
});

test('what was counted by a clock that was ahead pushes out nothing, and is not the last month', (t) => {
  const ahead = Array.from({ length: 30 }, (_, hour) =>
    ended(new Date(Date.UTC(2028, 0, 1, hour)).toISOString(), 1),
  );
  const before = bookAttempts(undefined, ahead, new Date('2028-02-01T00:00:00Z'));
  const history = bookAttempts(before, [ended('2026-11-01T01:00:00Z', 30)], NOW);
  const hours = history?.windows.filter(({ window }) => window === 'hour') ?? [];
  t.is(hours.length, KEPT_WINDOWS.hour);
  t.is(hours[0]?.start, '2026-11-01T01:00:00Z');
  t.is(monthSummary(history), '30.1 in 2026-11');
});

function sealedOf(history: UsageHistory | undefined): Record<string, number | undefined> {
  const windows = history?.windows ?? [];
  return Object.fromEntries(windows.map((one) => [`${one.window} ${one.start}`, one.sealed]));
}

/** The history with an attempt that ends now. */
function book(before: UsageHistory | undefined, instant: string): UsageHistory | undefined {
  return bookAttempts(before, [ended(instant, 10)], new Date(instant));
}

test('a window is sealed ten minutes after its end, when a later one has begun', (t) => {
  const first = book(undefined, '2026-10-31T23:30:00Z');
  const soon = book(first, '2026-11-01T00:09:59Z');
  t.deepEqual(sealedOf(soon), {
    'minute 2026-11-01T00:09:00Z': undefined,
    'hour 2026-11-01T00:00:00Z': undefined,
    'hour 2026-10-31T23:00:00Z': undefined,
    'day 2026-11-01T00:00:00Z': undefined,
    'day 2026-10-31T00:00:00Z': undefined,
    'month 2026-11-01T00:00:00Z': undefined,
    'month 2026-10-01T00:00:00Z': undefined,
  });
  t.is(soon?.lastSealed, undefined);
  const over = book(soon, '2026-11-01T00:10:00Z');
  t.deepEqual(sealedOf(over), {
    'minute 2026-11-01T00:10:00Z': undefined,
    'hour 2026-11-01T00:00:00Z': undefined,
    'hour 2026-10-31T23:00:00Z': 1,
    'day 2026-11-01T00:00:00Z': undefined,
    'day 2026-10-31T00:00:00Z': 2,
    'month 2026-11-01T00:00:00Z': undefined,
    'month 2026-10-01T00:00:00Z': 3,
  });
  t.is(over?.lastSealed, 3);
  t.is(monthSummary(over), '20.2 in 2026-11');
  t.true(usageHistory.safeParse(over).success);
});

test('what comes late counts beside what was sealed, which never changes', (t) => {
  const before = bookAttempts(
    undefined,
    [ended('2026-10-31T23:30:00Z', 10)],
    new Date('2026-10-31T23:30:00Z'),
  );
  const sealed = bookAttempts(before, [ended('2026-11-01T00:20:00Z', 20)], new Date('2026-11-01T00:20:00Z'));
  const late = bookAttempts(sealed, [ended('2026-10-31T23:59:59Z', 30)], new Date('2026-11-01T00:21:00Z'));
  const hour = (late?.windows ?? []).filter(({ start }) => start === '2026-10-31T23:00:00Z');
  t.deepEqual(
    hour.map((one) => [one.amounts.runUnits, one.attempts, one.sealed]),
    // It stays open until the other part is gone.
    [
      ['30.1', 1, undefined],
      ['10.1', 1, 1],
    ],
  );
  const gone = { ...late, windows: (late?.windows ?? []).filter((one) => one.sealed === undefined) };
  const next = bookAttempts(
    gone as UsageHistory,
    [ended('2026-11-01T00:22:00Z', 1)],
    new Date('2026-11-01T00:22:00Z'),
  );
  t.is(sealedOf(next)['hour 2026-10-31T23:00:00Z'], 4);
  t.is(next?.lastSealed, 6);
});

/** So many hours after the beginning of a year. */
function at(hour: number): string {
  return new Date(Date.UTC(2026, 0, 1, hour)).toISOString().replace('.000', '');
}

test('however long it goes on: no more windows than are kept, and nothing is lost of what they hold', (t) => {
  const hours = fc.array(fc.integer({ min: 0, max: 3 * 365 * 24 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(hours, (many) => {
      const times = many.toSorted((a, b) => a - b);
      const history = times.reduce<UsageHistory | undefined>(
        (sum, hour) => bookAttempts(sum, [ended(at(hour), 60)], new Date(at(hour))),
        undefined,
      );
      t.true(usageHistory.safeParse(history).success);
      for (const [window, kept] of Object.entries(KEPT_WINDOWS)) {
        const found = (history?.windows ?? []).filter((one) => one.window === window);
        const all = new Set(times.map((hour) => windowStart(window as keyof typeof starts, at(hour))));
        const newest = [...all].toSorted().slice(-kept);
        t.deepEqual(found.map(({ start }) => start).toReversed(), newest);
        const inside = times.filter((hour) =>
          newest.includes(windowStart(window as keyof typeof starts, at(hour))),
        );
        const units = found.reduce((sum, one) => sum + parseMicro(one.amounts.runUnits), 0n);
        t.is(units, BigInt(inside.length) * 60_100_000n);
      }
      t.is(parseMicro(history?.tiers[0]?.runUnits ?? ''), BigInt(times.length) * 60_100_000n);
    }),
    { numRuns: 50 },
  );
});

test('what had a price counts beside what had none, and is told with its currency', (t) => {
  const price = { currency: 'USD', runUnits: 1_000_000_000 };
  const history = bookAttempts(
    undefined,
    [ended('2026-11-01T00:00:00Z', 20, { price }), ended('2026-11-01T00:00:00Z', 30)],
    NOW,
  );
  t.deepEqual(
    history?.windows.map(({ window, amounts }) => [window, amounts.runUnits, amounts.cost]),
    ['minute', 'hour', 'day', 'month'].map((window) => [window, '50.2', '0.0201']),
  );
  t.deepEqual(history?.tiers, [{ tier: 'standard', runUnits: '50.2', cost: '0.0201' }]);
  t.is(monthCost(history, 'USD'), '0.0201 USD in 2026-11');
  t.is(monthCost(history, undefined), '0.0201 in 2026-11', 'the price was taken back');
  const more = bookAttempts(history, [ended('2026-11-01T00:10:00Z', 40, { price })], NOW);
  t.is(more?.tiers[0]?.cost, '0.0602');
  const free = bookAttempts(undefined, [ended('2026-11-01T00:00:00Z', 20)], NOW);
  t.is(monthCost(free, undefined), undefined);
  t.is(monthCost(free, 'USD'), undefined, 'it had no price, whatever others have now');
  t.is(monthCost(undefined, 'USD'), undefined);
  t.false(JSON.stringify(free).includes('cost'), 'who has no price pays no bytes');
});
