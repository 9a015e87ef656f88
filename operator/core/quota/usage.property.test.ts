// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { MeteredWorld } from './testing/metered-world.ts';

const operator = fc.constantFrom(0, 1);
const what = fc.constantFrom('ledger' as const, 'run' as const);

/** Data, so that a counterexample can be read. */
const step = fc.oneof(
  fc.record({ does: fc.constant('refresh' as const), operator, what }),
  fc.record({ does: fc.constantFrom('passLedger' as const, 'passRun' as const), operator }),
  fc.record({ does: fc.constant('start' as const), seconds: fc.integer({ min: 1, max: 500 }) }),
  fc.record({ does: fc.constant('suspend' as const), is: fc.boolean() }),
  // What goes as it should, so that attempts come to their end.
  fc.record({ does: fc.constant('settle' as const) }),
);
type Step = typeof step extends fc.Arbitrary<infer One> ? One : never;

function play(world: MeteredWorld, one: Step): void {
  switch (one.does) {
    case 'refresh':
      return world.refresh(one.operator, one.what);
    case 'start':
      return world.start(one.seconds);
    case 'suspend':
      return world.suspend(one.is);
    case 'settle':
      return world.settle();
    default:
      return world[one.does](one.operator);
  }
}

test('whatever two operators with stale views do: an attempt is counted once, and none is forgotten', (t) => {
  let most = 0n;
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 120, size: 'max' }), (steps) => {
      const world = new MeteredWorld();
      for (const one of steps) {
        play(world, one);
        if (world.counted > world.used) return false;
      }
      world.suspend(true);
      world.settle();
      if (world.used > most) most = world.used;
      return world.counted === world.used;
    }),
    { numRuns: 150 },
  );
  t.true(most > 0n, 'some attempts came to their end');
});
