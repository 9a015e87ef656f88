// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { Price } from '#crds/v1alpha1/price';
import type { MeteredAttempt } from '#crds/v1alpha1/run-usage';
import { formatMicro } from '../metering/micro.ts';
import { makeRate, makeUse } from '../metering/testing/make.ts';
import { ago, makeAgent, makeClass, makeRun } from '../run/testing/make.ts';
import { estimateOf } from './estimate.ts';

const CONTEXT = { agents: new Map(), gpuClasses: new Map(), containerDefaults: undefined };
const UNIT = 1_000_000n;

/** An Agent of half a core, for a minute and the 30 seconds that a container has to end. */
const agent = makeAgent({
  container: { image: 'registry.example.com/agent:1', resources: { requests: { cpu: '500m' } } },
  limits: { timeoutSeconds: 60 },
});
const declared = { ...agent, spec: { ...agent.spec, estimate: { runUnits: '2500m', tokens: '1k' } } };

function attempt(runUnits: bigint, inputTokens: number): MeteredAttempt {
  const pods = [makeUse(1, { inputTokens, outputTokens: 1 })];
  return { attempt: 1, settledAt: ago(1), rate: makeRate(), pods, runUnits: formatMicro(runUnits) };
}

test('without a word it is all that the time can cost, and no tokens', (t) => {
  t.deepEqual(estimateOf(makeRun(), agent, CONTEXT), { runUnits: 45n * UNIT, tokens: 0n, cost: 0n });
});

test('a shorter timeout of the Run makes it less', (t) => {
  t.is(estimateOf(makeRun({ timeoutSeconds: 10 }), agent, CONTEXT).runUnits, 20n * UNIT);
});

test('cards cost what their class says', (t) => {
  const gpuClasses = new Map([['h100', makeClass('h100', { multiplierPercent: 400 })]]);
  const heavy = makeAgent({
    tier: 'heavy',
    gpu: { class: 'h100', count: 2 },
    limits: { timeoutSeconds: 60, terminationGracePeriodSeconds: 0 },
  });
  t.is(estimateOf(makeRun(), heavy, { ...CONTEXT, gpuClasses }).runUnits, 720n * UNIT);
});

test('in one pass, an Agent as it was at another revision costs what it cost then', (t) => {
  const then = makeAgent({ ...agent.spec, tier: 'ultra' });
  const units = [agent, then, agent].map((one) => estimateOf(makeRun(), one, CONTEXT).runUnits / UNIT);
  t.deepEqual(units, [45n, 135n, 45n]);
});

test('what the Agent declares counts instead, and what the Run does before that, each for itself', (t) => {
  t.deepEqual(estimateOf(makeRun(), declared, CONTEXT), {
    runUnits: 2_500_000n,
    tokens: 1000n * UNIT,
    cost: 0n,
  });
  const run = makeRun({ estimate: { runUnits: 3 } });
  t.deepEqual(estimateOf(run, declared, CONTEXT), {
    runUnits: 3n * UNIT,
    tokens: 1000n * UNIT,
    cost: 0n,
  });
});

test('nobody reserves nothing: whatever starts costs something', (t) => {
  t.is(estimateOf(makeRun({ estimate: { runUnits: 0 } }), agent, CONTEXT).runUnits, 10_000n);
});

/** What a Run reserves after an attempt that used so much, in whole run units. */
function reserves(used: bigint, largest?: bigint): bigint {
  const run = makeRun({ estimate: { runUnits: 1 } }, { usage: { attempts: [attempt(used * UNIT, 0)] } });
  const context = { ...CONTEXT, ...(largest && { largest: { runUnits: largest * UNIT } }) };
  return estimateOf(run, agent, context).runUnits / UNIT;
}

test('twice what it has used is no more than its time can cost, or a whole budget, unless it has used that', (t) => {
  t.deepEqual([reserves(7n), reserves(30n), reserves(50n)], [14n, 45n, 50n]);
  t.deepEqual([reserves(7n, 10n), reserves(7n, 5n)], [10n, 7n]);
});

test('but never less than an attempt of it has used, and of run units twice that', (t) => {
  const attempts = [attempt(7n * UNIT, 10), attempt(1n * UNIT, 5000)];
  const run = makeRun({}, { usage: { attempts } });
  t.deepEqual(estimateOf(run, declared, CONTEXT), {
    runUnits: 14n * UNIT,
    tokens: 5001n * UNIT,
    cost: 0n,
  });
});

/** A run unit costs 0.5, a token read 0.000003 and one written 0.000015. */
const PRICE: Price = {
  currency: 'USD',
  runUnits: 500_000_000_000,
  inputTokens: 3_000_000,
  outputTokens: 15_000_000,
};
const PRICED = { ...CONTEXT, price: PRICE };

test('where nobody says what it costs, it is what the run units and tokens cost that are reserved, all tokens as the dearer ones', (t) => {
  t.is(estimateOf(makeRun(), agent, PRICED).cost, 22_500_000n);
  t.is(estimateOf(makeRun(), declared, PRICED).cost, 1_250_000n + 15_000n);
  t.is(estimateOf(makeRun({ estimate: { runUnits: 4 } }), declared, PRICED).cost, 2_000_000n + 15_000n);
  t.is(estimateOf(makeRun({ estimate: { cost: '0.75' } }), declared, PRICED).cost, 750_000n);
  t.is(
    estimateOf(makeRun({ estimate: { cost: 0 } }), agent, PRICED).cost,
    5000n,
    'whatever starts costs something',
  );
});

/** What the next attempt reserves of cost after one that used so many whole run units. */
function costsAfter(used: bigint, price: Price | undefined, largest?: bigint): bigint {
  const before = attempt(used * UNIT, 0);
  const paid = { ...before, rate: { ...before.rate, ...(price && { price }) } };
  const run = makeRun({ estimate: { runUnits: 1, cost: '0.5' } }, { usage: { attempts: [paid] } });
  return estimateOf(run, agent, { ...PRICED, ...(largest && { largest: { cost: largest } }) }).cost;
}

test('of cost, too, the next attempt reserves twice what one has cost, as far as its time and a budget allow', (t) => {
  // Each has written one token.
  t.is(costsAfter(7n, PRICE), 2n * 3_500_015n);
  t.is(costsAfter(30n, PRICE), 22_500_015n, 'all of its time');
  t.is(costsAfter(50n, PRICE), 25_000_015n);
  t.is(costsAfter(7n, PRICE, 5_000_000n), 5_000_000n);
  t.is(costsAfter(7n, undefined), 500_000n, 'what had no price has cost nothing that is known');
});
