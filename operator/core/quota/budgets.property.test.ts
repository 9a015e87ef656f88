// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import type { BudgetLimit } from '#crds/v1alpha1/budgets';
import type { Price } from '#crds/v1alpha1/price';
import { BudgetWorld, RUN_COUNT, type WorldChoice } from './testing/budget-world.ts';

const operator = fc.constantFrom(0, 1);
const run = fc.nat({ max: RUN_COUNT - 1 });

/** Data, so that a counterexample can be read. */
const step = fc.oneof(
  fc.record({ does: fc.constant('advance' as const), seconds: fc.integer({ min: 1, max: 200 }) }),
  fc.record({
    does: fc.constant('refresh' as const),
    operator,
    what: fc.constantFrom('ledger' as const, 'runs' as const),
  }),
  fc.record({ does: fc.constant('passLedger' as const), operator }),
  fc.record({ does: fc.constant('passRun' as const), operator, run }),
  fc.record({ does: fc.constant('start' as const), run }),
  fc.record({ does: fc.constant('suspend' as const), run, is: fc.boolean() }),
  fc.record({ does: fc.constant('cancel' as const), run }),
  // What goes as it should, so that attempts come to their end.
  fc.record({ does: fc.constant('settle' as const) }),
);
type Step = typeof step extends fc.Arbitrary<infer One> ? One : never;
const steps = fc.array(step, { minLength: 20, maxLength: 90, size: 'max' });

function play(world: BudgetWorld, one: Step): void {
  switch (one.does) {
    case 'advance':
      return world.advance(one.seconds);
    case 'refresh':
      return world.refresh(one.operator, one.what);
    case 'passLedger':
      return world.passLedger(one.operator);
    case 'passRun':
      return world.passRun(one.operator, one.run);
    case 'start':
      return world.start(one.run);
    case 'suspend':
      return world.tell(one.run, { suspend: one.is });
    case 'cancel':
      return world.tell(one.run, { cancel: true });
    default:
      return world.settle();
  }
}

/** What the plays come to together is asserted too, so they are the same ones each time. */
const SEED = 19;

const BUDGETS: readonly BudgetLimit[] = [
  { unit: 'runUnits', window: 'minute', limit: '200' },
  { unit: 'runUnits', window: 'hour', limit: '250' },
];

function usedMore(world: BudgetWorld, budgets: readonly BudgetLimit[]): boolean {
  return budgets.some(({ unit, window, limit }) =>
    world.counted({ unit, window }).some((used) => used > BigInt(limit) * 1_000_000n),
  );
}

test('whatever two operators with stale views do: who is admitted fits beside what is used and reserved, and nobody uses more than a budget', (t) => {
  let admitted = 0;
  fc.assert(
    fc.property(steps, (all) => {
      const world = new BudgetWorld({ budgets: BUDGETS });
      for (const one of all) play(world, one);
      world.settle();
      admitted = Math.max(admitted, world.admitted);
      if (world.faults.length > 0 || usedMore(world, BUDGETS))
        throw new Error(world.faults.join('; ') || 'used more');
    }),
    { numRuns: 150, seed: SEED },
  );
  t.true(admitted > RUN_COUNT, `${admitted} attempts were admitted in one world`);
});

test('the same at admission where Runs use more than they reserve; some are paused for it', (t) => {
  let paused = 0;
  fc.assert(
    fc.property(steps, (all) => {
      const world = new BudgetWorld({ budgets: BUDGETS, estimate: 20 });
      for (const one of all) play(world, one);
      paused += world.paused;
      if (world.faults.length > 0) throw new Error(world.faults.join('; '));
    }),
    { numRuns: 150, seed: SEED },
  );
  t.true(paused > 0, 'some were paused');
});

/** A run unit costs 0.3, 0.7 or 1.000001. */
const PRICES: readonly Price[] = [300_000_000_000, 700_000_000_000, 1_000_001_000_000].map((runUnits) => ({
  currency: 'USD',
  runUnits,
}));
const PAID: readonly BudgetLimit[] = [
  { unit: 'cost', window: 'minute', limit: '110' },
  { unit: 'cost', window: 'hour', limit: '140' },
  { unit: 'runUnits', window: 'hour', limit: '400' },
];
/** Less than all of two attempts. */
const LITTLE: readonly BudgetLimit[] = [
  { unit: 'cost', window: 'minute', limit: '60' },
  { unit: 'cost', window: 'hour', limit: '90' },
];
const pricedStep = fc.oneof(
  { weight: 9, arbitrary: step },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('price' as const), at: fc.nat({ max: 2 }) }) },
);
const pricedSteps = fc.array(pricedStep, { minLength: 20, maxLength: 90, size: 'max' });

function pricedWorld(
  steps: readonly (typeof pricedStep extends fc.Arbitrary<infer One> ? One : never)[],
  choice: WorldChoice,
): BudgetWorld {
  const world = new BudgetWorld(choice);
  for (const one of steps) {
    if (one.does === 'price') world.setPrice(PRICES[one.at]);
    else play(world, one);
  }
  world.settle();
  return world;
}

function isRecomputed({ recomputed: { facts, totals } }: BudgetWorld): boolean {
  return facts === totals;
}

test('budgets of cost hold also while the price changes, and what was settled comes to the same integers by the price of its admission', (t) => {
  let admitted = 0;
  const prices = new Set<number | undefined>();
  fc.assert(
    fc.property(pricedSteps, (all) => {
      const world = pricedWorld(all, { budgets: PAID, price: PRICES[0]! });
      admitted = Math.max(admitted, world.admitted);
      for (const one of world.settledPrices) prices.add(one?.runUnits);
      if (world.faults.length > 0 || usedMore(world, PAID) || !isRecomputed(world))
        throw new Error(world.faults.join('; ') || 'used more, or another sum');
    }),
    { numRuns: 150, seed: SEED },
  );
  t.true(admitted > RUN_COUNT, `${admitted} attempts were admitted in one world`);
  t.deepEqual(prices, new Set(PRICES.map(({ runUnits }) => runUnits)));
});

test('the same at admission where Runs cost more than they reserve; some are paused for it', (t) => {
  let paused = 0;
  fc.assert(
    fc.property(pricedSteps, (all) => {
      const world = pricedWorld(all, { budgets: LITTLE, estimate: 20, price: PRICES[1]! });
      paused += world.paused;
      if (world.faults.length > 0 || !isRecomputed(world))
        throw new Error(world.faults.join('; ') || 'another sum');
    }),
    { numRuns: 150, seed: SEED },
  );
  t.true(paused > 0, 'some were paused');
});

/** Some with tokens, of which each Run is expected to use a million, and none at all. */
const ANY_PRICE: readonly (Price | undefined)[] = [
  ...PRICES,
  { currency: 'USD', runUnits: 300_000_000_000, outputTokens: 9_000_000 },
  { currency: 'USD', inputTokens: 20_000_000, outputTokens: 1 },
  undefined,
];
const anyPricedStep = fc.oneof(
  { weight: 9, arbitrary: step },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant('price' as const),
      at: fc.nat({ max: ANY_PRICE.length - 1 }),
    }),
  },
);

/** Other plays each time, so nothing is asserted of what they come to together. */
test('nobody is admitted beyond a budget while prices go and come, some of them of tokens, whatever is played', (t) => {
  fc.assert(
    fc.property(fc.array(anyPricedStep, { minLength: 20, maxLength: 90, size: 'max' }), (all) => {
      const world = new BudgetWorld({ budgets: PAID, price: ANY_PRICE[3]!, tokens: 1_000_000 });
      for (const one of all) {
        if (one.does === 'price') world.setPrice(ANY_PRICE[one.at]);
        else play(world, one);
      }
      world.settle();
      if (world.faults.length > 0 || !isRecomputed(world))
        throw new Error(world.faults.join('; ') || 'another sum');
    }),
    { numRuns: 100 },
  );
  t.pass();
});
