// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { price } from '#crds/v1alpha1/price';
import { priceFor, type Prices, readPrices } from './prices.ts';

function prices(value: unknown): Prices {
  const read = readPrices(JSON.stringify(value));
  if (read.kind === 'refused') throw new Error(read.problems.join('; '));
  return read.prices;
}

function problems(value: unknown): readonly string[] {
  const read = readPrices(typeof value === 'string' ? value : JSON.stringify(value));
  return read.kind === 'ok' ? [] : read.problems;
}

test('a plan pays its own price, and any other the default; what is not named costs nothing', (t) => {
  const all = prices({
    currency: 'USD',
    default: { runUnits: '11.5', inputTokens: '3' },
    plans: { gold: { runUnits: '0.000001' } },
  });
  t.deepEqual(priceFor(all, 'gold'), { currency: 'USD', runUnits: 1 });
  t.deepEqual(priceFor(all, 'tin'), { currency: 'USD', runUnits: 11_500_000, inputTokens: 3_000_000 });
  t.deepEqual(priceFor(all, undefined), priceFor(all, 'tin'));
});

test('without a default only plans that are named have a price, and without anything none', (t) => {
  const some = prices({ currency: 'XAI', plans: { gold: { toolCalls: '1' } } });
  t.is(priceFor(some, 'tin'), undefined);
  t.deepEqual(priceFor(some, 'gold'), { currency: 'XAI', toolCalls: 1_000_000 });
  t.is(priceFor(prices({}), 'gold'), undefined);
  t.is(priceFor(undefined, 'gold'), undefined);
});

const REFUSED: Readonly<Record<string, { readonly value: unknown; readonly want: RegExp }>> = {
  'no JSON': { value: 'USD', want: /found no JSON object; wanted is {"currency"/ },
  'a list': { value: [], want: /found no JSON object/ },
  'no currency': {
    value: { default: { runUnits: '1' } },
    want: /^\.currency: found nothing; wanted is a name such as USD$/,
  },
  'a currency in lower case': { value: { currency: 'usd' }, want: /^\.currency: found "usd"/ },
  'a number, which JSON does not keep exactly': {
    value: { currency: 'USD', default: { runUnits: 11.5 } },
    want: /^\.default\.runUnits: found 11\.5; wanted is a decimal as text, such as "11\.5"/,
  },
  'less than nothing': {
    value: { currency: 'USD', default: { runUnits: '-1' } },
    want: /^\.default\.runUnits: found "-1"/,
  },
  'seven places': {
    value: { currency: 'USD', default: { runUnits: '0.0000001' } },
    want: /up to six places/,
  },
  'a billion': { value: { currency: 'USD', default: { runUnits: '1000000000' } }, want: /below a billion/ },
  'a field that there is not': {
    value: { currency: 'USD', default: { tokens: '1' } },
    want: /^\.default\.tokens: there is no such field; there are runUnits, inputTokens/,
  },
  'a price of nothing': {
    value: { currency: 'USD', plans: { gold: {} } },
    want: /^\.plans\.gold: found {}; wanted is an object with some of runUnits/,
  },
  'a plan that no Tenant can have': {
    value: { currency: 'USD', plans: { Gold: { runUnits: '1' } } },
    want: /^\.plans: found "Gold"; wanted is the name of a plan/,
  },
  'plans as a list': { value: { currency: 'USD', plans: [] }, want: /^\.plans: found \[\]/ },
  'too many plans': {
    value: {
      currency: 'USD',
      plans: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`p${i}`, { runUnits: '1' }])),
    },
    want: /^\.plans: found 65; at most 64 are allowed$/,
  },
};

for (const [name, { value, want }] of Object.entries(REFUSED)) {
  test(`prices are refused: ${name}`, (t) => {
    const [problem = '', ...others] = problems(value);
    t.regex(problem, want);
    t.deepEqual(others, []);
  });
}

test('everything that is wrong is told at once', (t) => {
  t.is(
    problems({ currency: 1, default: { runUnits: 1 }, plans: { gold: { toolCalls: '' } }, more: 1 }).length,
    4,
  );
});

test('whatever is read fits the ledger, and comes to the same millionths', (t) => {
  const whole = fc.oneof(fc.nat(99), fc.integer({ min: 0, max: 999_999_999 }));
  fc.assert(
    fc.property(whole, fc.nat(999_999), (units, micros) => {
      const text = `${units}.${String(micros).padStart(6, '0')}`;
      const { others } = prices({ currency: 'USD', default: { runUnits: text } });
      t.is(others?.runUnits, units * 1_000_000 + micros, text);
      t.true(price.safeParse(others).success);
    }),
  );
});
