// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { MAX_COUNT } from '#crds/v1alpha1/run-result';
import { type PodUse, type Rate, runUsage, TIERS } from '#crds/v1alpha1/run-usage';
import { addMetered, amountsOf, formatMetered, meter, NOTHING_METERED, parseMetered } from './amounts.ts';
import { formatMicro } from './micro.ts';
import { TIER_PERCENT } from './rate.ts';
import { makeRate, makeUse } from './testing/make.ts';

const amount = fc.oneof(fc.nat(100_000), fc.maxSafeNat());
const parts = fc.integer({ min: 1, max: 1024 });
const multiplierPercent = fc.integer({ min: 1, max: 100_000 });
const gpu = fc
  .record({
    class: fc.constant('l4'),
    count: fc.integer({ min: 1, max: 64 }),
    parts,
    of: parts,
    multiplierPercent,
  })
  .map((one) => ({ ...one, parts: Math.min(one.parts, one.of) }));
const micros = fc.oneof(fc.nat(1_000_000_000), fc.maxSafeNat());
const price = fc
  .record({
    runUnits: micros,
    inputTokens: micros,
    outputTokens: micros,
    toolCalls: micros,
    sandboxCalls: micros,
  })
  .map((one) => ({ currency: 'USD', ...one }));
const rates: fc.Arbitrary<Rate> = fc
  .record({
    tier: fc.constantFrom(...TIERS),
    cpuMillicores: amount,
    memoryBytes: amount,
    gpu: fc.option(gpu),
    price: fc.option(price),
  })
  .map(({ gpu: devices, price: paid, tier, ...one }) =>
    makeRate({
      ...one,
      tier,
      tierPercent: TIER_PERCENT[tier],
      ...(devices !== null && { gpu: devices }),
      ...(paid !== null && { price: paid }),
    }),
  );
const calls = fc.oneof(fc.nat(1000), fc.integer({ min: 0, max: MAX_COUNT }));
const reports = fc.record({ toolCalls: calls, sandboxCalls: calls, inputTokens: calls });
const uses = fc
  .record({ seconds: fc.integer({ min: 0, max: 100_000 }), reported: fc.option(reports) })
  .map(({ seconds, reported }) => makeUse(seconds, reported ?? undefined));
const attempts = fc.record({ rate: rates, pods: fc.array(uses, { minLength: 1, maxLength: 8 }) });

test('who recomputes from what is stored gets the same integers', (t) => {
  fc.assert(
    fc.property(attempts, ({ rate, pods }) => {
      const amounts = formatMetered(meter(rate, pods));
      const facts = JSON.parse(JSON.stringify({ rate, pods })) as { rate: Rate; pods: PodUse[] };
      t.deepEqual(formatMetered(meter(facts.rate, facts.pods)), amounts);
      t.deepEqual(formatMetered(parseMetered(amounts)), amounts);
      const runUnits = formatMicro(parseMetered(amounts).runUnits);
      const settled = { attempt: 1, settledAt: '2026-11-21T12:00:00Z', ...facts, runUnits };
      t.deepEqual(formatMetered(amountsOf(settled)), amounts);
    }),
  );
});

test('the order of pods is nothing, and a pod that is cut in two costs the same', (t) => {
  fc.assert(
    fc.property(attempts, fc.nat(), ({ rate, pods }, at) => {
      const [first = makeUse(0), ...others] = pods;
      const seconds = (Date.parse(first.finishedAt) - Date.parse(first.startedAt)) / 1000;
      const cut = at % (seconds + 1);
      const { reported } = first;
      const halves = [makeUse(cut, reported), makeUse(seconds - cut)];
      t.deepEqual(meter(rate, [...halves, ...others]), meter(rate, pods));
      t.deepEqual(meter(rate, pods.toReversed()), meter(rate, pods));
    }),
  );
});

test('attempts add up to what they are, in any order', (t) => {
  fc.assert(
    fc.property(fc.array(attempts, { maxLength: 8 }), (many) => {
      const each = many.map(({ rate, pods }) => meter(rate, pods));
      const sum = each.reduce(addMetered, NOTHING_METERED);
      t.deepEqual(each.toReversed().reduce(addMetered, NOTHING_METERED), sum);
      const stored = each.map((one) => parseMetered(formatMetered(one))).reduce(addMetered, NOTHING_METERED);
      t.deepEqual(stored, sum);
    }),
  );
});

test('whatever a container reports: never less than allocation times time says', (t) => {
  fc.assert(
    fc.property(attempts, ({ rate, pods }) => {
      const silent = meter(
        rate,
        pods.map(({ uid, startedAt, finishedAt, basis }) => ({ uid, startedAt, finishedAt, basis })),
      );
      const told = meter(rate, pods);
      t.true(told.runUnits >= silent.runUnits);
      t.true(told.cost >= silent.cost);
      t.deepEqual({ ...told, runUnits: 0n, cost: 0n }, { ...silent, runUnits: 0n, cost: 0n });
    }),
  );
});

test('at the limits of the schema, what is written still fits it', (t) => {
  const most = Number.MAX_SAFE_INTEGER;
  const rate = makeRate({
    tier: 'ultra',
    tierPercent: 300,
    cpuMillicores: most,
    memoryBytes: most,
    maxSeconds: 10_000_000,
    gpu: { class: 'h100', count: 64, parts: 1024, of: 1, multiplierPercent: 100_000 },
    price: {
      currency: 'LONGESTONE',
      runUnits: most,
      inputTokens: most,
      outputTokens: most,
      toolCalls: most,
      sandboxCalls: most,
    },
  });
  const counts = {
    inputTokens: MAX_COUNT,
    outputTokens: MAX_COUNT,
    toolCalls: MAX_COUNT,
    sandboxCalls: MAX_COUNT,
  };
  const pods = [makeUse(20_000_000, counts)];
  const one = meter(rate, pods);
  const total = Array.from({ length: 17 }).reduce<typeof one>((sum) => addMetered(sum, sum), one);
  const amounts = formatMetered(total);
  const settledAt = '2026-11-21T12:00:00Z';
  const attempt = { attempt: 100_000, settledAt, rate, pods, runUnits: formatMetered(one).runUnits };
  t.true(runUsage.safeParse({ attempts: [attempt], total: amounts }).success);
  t.is(parseMetered(amounts).cpuSeconds, BigInt(most) * 10_000_000_000n * 2n ** 17n);
});
