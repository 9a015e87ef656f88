// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type Bill, billsOf, micro, type Price } from './bill.ts';
import { createsPod, type Forged, instant, trailOf } from './forged.ts';

const STANDARD: Price = { tier: 'standard', tierPercent: 100 };
const SEVENTHS: Price = {
  tier: 'heavy',
  tierPercent: 150,
  gpu: { count: 2, parts: 3, of: 7, percent: 150 },
};

/** A pod of half a core and one GiB that has run from the first second to `until`. */
function ran(
  until: number,
  { message, startedAt = 1 }: { message?: string; startedAt?: number } = {},
): Forged {
  const terminated = {
    startedAt: instant(startedAt),
    finishedAt: instant(until),
    ...(message !== undefined && { message }),
  };
  return {
    ...createsPod('a'),
    verb: 'patch',
    spec: { containers: [{ resources: { requests: { cpu: '500m', memory: '1Gi' } } }] },
    status: { phase: 'Succeeded', containerStatuses: [{ state: { terminated } }] },
  };
}

const CASES: Readonly<
  Record<string, { readonly pod: Forged; readonly price?: Price; readonly want: Partial<Bill> }>
> = {
  'ten seconds of half a core': {
    pod: ran(11),
    want: {
      cpuSeconds: 5_000_000n,
      memoryByteSeconds: 10_737_418_240_000_000n,
      gpuSeconds: 0n,
      runUnits: 5_000_000n,
    },
  },
  'cards cost more than cores': {
    pod: ran(11),
    price: SEVENTHS,
    // 2 x 3/7 x 10 s, of which each costs 1.5, in a tier of 1.5.
    want: { gpuSeconds: 8_571_429n, runUnits: 19_285_714n },
  },
  'calls cost beside the time': {
    pod: ran(11, { message: '{"usage":{"toolCalls":3,"sandboxCalls":1}}' }),
    want: { runUnits: 5_500_000n },
  },
  'what has a price is paid, and rounded once': {
    pod: ran(11, { message: '{"usage":{"toolCalls":3,"inputTokens":7}}' }),
    price: { ...STANDARD, perMillion: { runUnits: 300_000n, inputTokens: 2_000_000n, outputTokens: 9n } },
    // 5.3 x 0.3 and 7 x 2 millionths.
    want: { runUnits: 5_300_000n, cost: 16n },
  },
  'no time at all costs the least': { pod: ran(1), want: { cpuSeconds: 0n, runUnits: 10_000n } },
  'a clock that is set back takes nothing': { pod: ran(1, { startedAt: 5 }), want: { runUnits: 10_000n } },
  'what never started costs nothing': { pod: createsPod('a'), want: { cpuSeconds: 0n, runUnits: 0n } },
};

for (const [title, { pod, price = STANDARD, want }] of Object.entries(CASES)) {
  test(`bill: ${title}`, (t) => {
    const bills = billsOf(
      trailOf(createsPod('a'), pod),
      () => price,
      () => 'acme',
    );
    t.is(bills.size, 1);
    t.like(bills.get('acme'), want);
  });
}

test('bill: what is told of a pod twice is billed once, and pods of others not at all', (t) => {
  const other: Forged = { ...ran(11), metadata: { uid: 'other', name: 'other', namespace: 'acme-main' } };
  const bills = billsOf(
    trailOf(ran(6), ran(11), other),
    () => STANDARD,
    () => 'acme',
  );
  t.is(bills.get('acme')?.runUnits, 5_000_000n);
});

test('decimals are read as millionths', (t) => {
  t.deepEqual(['0', '1.5', '0.000001', '12'].map(micro), [0n, 1_500_000n, 1n, 12_000_000n]);
});
