// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { demandOf, NAMES, QuotaWorld } from './testing/quota-world.ts';

type Step = (world: QuotaWorld) => void;

const name = fc.constantFrom(...NAMES);
const operator = fc.constantFrom(0, 1);
const pods = fc.integer({ min: 0, max: 4 });

const pass = fc
  .record({ operator, name, pods, fresh: fc.constantFrom('nothing', 'ledger', 'quotas', 'all', 'all') })
  .map(
    (one): Step =>
      (world) => {
        if (one.fresh === 'ledger' || one.fresh === 'all') world.refresh(one.operator, 'ledger');
        if (one.fresh === 'quotas' || one.fresh === 'all') world.refresh(one.operator, 'quotas');
        world.pass(one.operator, [demandOf(one.name, one.pods)]);
      },
  );
const arrive = fc.nat(8).map(
  (index): Step =>
    (world) =>
      world.arrive(index),
);
const sync = name.map(
  (one): Step =>
    (world) =>
      world.syncStatus(one),
);
const use = fc.record({ name, pods: fc.integer({ min: -1, max: 4 }) }).map(
  (one): Step =>
    (world) =>
      void world.use(one.name, one.pods),
);
const steps = fc.array(fc.oneof(pass, arrive, arrive, sync, use, use), {
  minLength: 30,
  maxLength: 150,
  size: 'max',
});

test('whatever two operators with stale views do, however late: never more in use than the total', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 3, max: 6 }), steps, (total, many) => {
      const world = new QuotaWorld(total);
      return many.every((step) => {
        step(world);
        return world.used <= world.total;
      });
    }),
    { numRuns: 1000 },
  );
  t.pass();
});

test('from any state, a demand that fits the tenant is met in a few passes, and then all is silent', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 3, max: 12 }), steps, fc.tuple(name, pods), (total, many, [who, count]) => {
      const world = new QuotaWorld(total);
      for (const step of many) step(world);
      const fits = world.used + BigInt(count) * 1000n <= world.total;
      const isSilent = world.settle([demandOf(who, count)]);
      return isSilent && (!fits || world.use(who, count));
    }),
    { numRuns: 500 },
  );
  t.pass();
});
