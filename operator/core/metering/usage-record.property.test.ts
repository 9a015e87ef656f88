// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { RecordedWorld } from './testing/recorded-world.ts';

const operator = fc.constantFrom(0, 1);

/** Data, so that a counterexample can be read. */
const step = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constant('wait' as const), minutes: fc.integer({ min: 1, max: 70 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ does: fc.constant('end' as const), minutes: fc.integer({ min: 0, max: 200 }) }),
  },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('refresh' as const), operator }) },
  { weight: 4, arbitrary: fc.record({ does: fc.constant('decide' as const), operator }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('act' as const), operator }) },
);
const stepOrLoss = fc.oneof(
  { weight: 30, arbitrary: step },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('loseLedger' as const) }) },
);
const stepOrRollback = fc.oneof(
  { weight: 30, arbitrary: step },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('rollBack' as const) }) },
);
const anyStep = fc.oneof(stepOrLoss, stepOrRollback);
type Step = typeof anyStep extends fc.Arbitrary<infer One> ? One : never;

function play(world: RecordedWorld, one: Step): void {
  switch (one.does) {
    case 'wait':
      return world.wait(one.minutes);
    case 'end':
      return world.end(one.minutes);
    case 'loseLedger':
    case 'rollBack':
      return world[one.does]();
    default:
      return world[one.does](one.operator);
  }
}

/** What is wrong after these steps, or at the end of all. */
function judged(world: RecordedWorld, steps: readonly Step[]): string | undefined {
  for (const one of steps) {
    play(world, one);
    const wrong = world.wrong();
    if (wrong !== undefined) return wrong;
  }
  world.settle();
  return world.wrong() ?? (world.isHolding ? 'the ledger has kept what its record has' : undefined);
}

const kinds: Readonly<Record<string, fc.Arbitrary<Step>>> = {
  'whoever decides on old views, writes late or never: record and ledger together tell what was counted, at every moment':
    step,
  'the same when the ledger is deleted meanwhile, and another one numbers its windows anew': stepOrLoss,
  'the same when an operator of before leads meanwhile, that knows of no numbers': stepOrRollback,
};

for (const [name, steps] of Object.entries(kinds)) {
  test(name, (t) => {
    let merged = 0;
    fc.assert(
      fc.property(fc.array(steps, { minLength: 30, maxLength: 150, size: 'max' }), (many) => {
        const world = new RecordedWorld();
        const wrong = judged(world, many);
        merged = Math.max(merged, world.merged);
        if (wrong !== undefined) throw new Error(wrong);
      }),
      { numRuns: 300 },
    );
    t.true(merged > 3, `windows were taken over: ${merged}`);
  });
}
