// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { Price } from '#crds/v1alpha1/price';
import type { PodUse } from '#crds/v1alpha1/run-usage';
import { amountsOf, formatMetered, meter } from './amounts.ts';
import { chargeAhead, chargeOf, priceDigest } from './price.ts';
import { makeRate, makeUse } from './testing/make.ts';

const UNIT = 1_000_000n;
/** A million run units cost 11.5, a million tokens read 3 and written 15. */
const PRICE: Price = {
  currency: 'USD',
  runUnits: 11_500_000,
  inputTokens: 3_000_000,
  outputTokens: 15_000_000,
};

const CHARGES: Readonly<
  Record<
    string,
    {
      readonly price?: Price | undefined;
      readonly runUnits: bigint;
      readonly pods?: readonly PodUse[];
      readonly want: bigint;
    }
  >
> = {
  'without a price nothing is known, and nothing counts': { price: undefined, runUnits: UNIT, want: 0n },
  'the example of the formula': {
    runUnits: 60_300_000n,
    pods: [makeUse(10, { inputTokens: 2000, toolCalls: 3 })],
    want: 6693n,
  },
  'what is half a millionth is one, and what is less is none': {
    price: { currency: 'USD', runUnits: 1, toolCalls: 499_999 },
    runUnits: 0n,
    pods: [makeUse(1, { toolCalls: 1 })],
    want: 0n,
  },
  'and it is rounded once, over everything and all pods': {
    price: { currency: 'USD', runUnits: 1, toolCalls: 499_999 },
    runUnits: UNIT,
    pods: [makeUse(1), makeUse(1, { toolCalls: 1 })],
    want: 1n,
  },
  'a million of each costs just the price': {
    price: {
      currency: 'USD',
      runUnits: 1,
      inputTokens: 20,
      outputTokens: 300,
      toolCalls: 4000,
      sandboxCalls: 50_000,
    },
    runUnits: UNIT * UNIT,
    pods: [makeUse(1, { inputTokens: 1e6, outputTokens: 1e6, toolCalls: 1e6, sandboxCalls: 1e6 })],
    want: 54_321n,
  },
};

for (const [name, one] of Object.entries(CHARGES)) {
  test(`charged: ${name}`, (t) => {
    const { runUnits, pods = [], want } = one;
    t.is(chargeOf('price' in one ? one.price : PRICE, { runUnits, pods }), want);
  });
}

test('what is expected of tokens costs what the dearer ones do', (t) => {
  t.is(chargeAhead(PRICE, { runUnits: 1000n * UNIT, tokens: 1000n * UNIT }), 11_500n + 15_000n);
  t.is(chargeAhead({ currency: 'USD', inputTokens: 7 }, { runUnits: UNIT, tokens: UNIT * UNIT }), 7n);
  t.is(chargeAhead(undefined, { runUnits: UNIT, tokens: UNIT }), 0n);
});

test('an attempt that was settled costs what its run units say, by the price of its rate', (t) => {
  const rate = makeRate({ cpuMillicores: 1000, price: PRICE });
  const pods = [makeUse(1000, { outputTokens: 100 })];
  const attempt = { attempt: 1, settledAt: '2026-11-21T12:00:00Z', rate, pods };
  t.is(meter(rate, pods).cost, 11_500n + 1500n);
  t.is(formatMetered(meter(rate, pods)).cost, '0.013');
  t.is(amountsOf({ ...attempt, runUnits: '2000' }).cost, 23_000n + 1500n);
  t.false('cost' in formatMetered(meter(makeRate({ cpuMillicores: 1000 }), pods)));
});

test('prices are told apart by what they say, not by the order of it', (t) => {
  const same: Price = {
    outputTokens: 15_000_000,
    inputTokens: 3_000_000,
    runUnits: 11_500_000,
    currency: 'USD',
  };
  t.is(priceDigest(same), priceDigest(PRICE));
  const { outputTokens: _, ...less } = PRICE;
  const others = [{ ...PRICE, currency: 'EUR' }, { ...PRICE, runUnits: 11_500_001 }, less];
  t.is(new Set([PRICE, ...others].map(priceDigest)).size, 4);
  t.is(priceDigest(PRICE).length, 8);
});
