// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import type { BudgetLimit } from '#crds/v1alpha1/budgets';
import { BudgetWorld, RUN_COUNT } from './testing/budget-world.ts';

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

test('whatever two operators with stale views do: who is admitted fits beside what is used and reserved, and nobody uses more than a budget', (t) => {
  let admitted = 0;
  fc.assert(
    fc.property(steps, (all) => {
      const world = new BudgetWorld({ budgets: BUDGETS });
      for (const one of all) play(world, one);
      world.settle();
      admitted = Math.max(admitted, world.admitted);
      const isOver = BUDGETS.some(({ window, limit }) =>
        world.counted(window).some((used) => used > BigInt(limit) * 1_000_000n),
      );
      if (world.faults.length > 0 || isOver) throw new Error(world.faults.join('; ') || 'used more');
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
