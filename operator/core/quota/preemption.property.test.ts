// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import type { Run } from '../run/run.ts';
import { NOW } from '../run/testing/make.ts';
import { queueOf } from './ledger.ts';
import {
  countedQuota,
  heldRun,
  NAMESPACE,
  namedAgent,
  namedRun,
  preemptingLedger,
} from './testing/make-held.ts';
import { NOTHING_OF_LEDGER } from './testing/make-ledger.ts';
import { PreemptionWorld } from './testing/preemption-world.ts';

const operator = fc.constantFrom(0, 1);
const run = fc.nat({ max: 7 });

const create = fc.record({ does: fc.constant('create' as const), priority: fc.integer({ min: 0, max: 4 }) });
/** Data, so that a counterexample can be read. */
const step = fc.oneof(
  create,
  create,
  fc.record({
    does: fc.constant('refresh' as const),
    operator,
    what: fc.constantFrom('ledger' as const, 'runs' as const),
  }),
  fc.record({ does: fc.constant('passLedger' as const), operator }),
  fc.record({ does: fc.constant('passRun' as const), operator, run }),
  fc.record({ does: fc.constant('end' as const), run }),
  fc.record({ does: fc.constant('suspend' as const), run, is: fc.boolean() }),
  fc.record({ does: fc.constant('cancel' as const), run }),
  fc.record({ does: fc.constant('suspendTenant' as const), is: fc.boolean() }),
  // What goes as it should, so that Runs come to run.
  fc.record({ does: fc.constant('settle' as const) }),
);
type Step = typeof step extends fc.Arbitrary<infer One> ? One : never;
const steps = fc.array(step, { minLength: 20, maxLength: 90, size: 'max' });

function play(world: PreemptionWorld, one: Step): unknown {
  switch (one.does) {
    case 'create':
      return world.create(one.priority);
    case 'refresh':
      return world.refresh(one.operator, one.what);
    case 'passLedger':
      return world.passLedger(one.operator);
    case 'passRun':
      return world.passRun(one.operator, one.run);
    case 'end':
      return world.end(one.run);
    case 'suspend':
      return world.tell(one.run, { suspend: one.is });
    case 'cancel':
      return world.tell(one.run, { cancel: true });
    case 'suspendTenant':
      return world.suspend(one.is);
    default:
      return world.settle();
  }
}

/** What the plays come to together is asserted too, so they are the same ones each time. */
const SEED = 23;

test('whatever two operators with stale views do: never more workloads than places, then all is silent, and nobody waits for one worth less', (t) => {
  let preempted = 0;
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), steps, (places, all) => {
      const world = new PreemptionWorld(places);
      for (const one of all) play(world, one);
      world.suspend(false);
      if (!world.settle()) throw new Error('it never comes to rest');
      preempted += world.preempted;
      if (world.faults.length > 0) throw new Error(world.faults.join('; '));
      if (world.overtaken.length > 0) throw new Error(`${world.overtaken.join(', ')} wait in vain`);
    }),
    { numRuns: 200, seed: SEED },
  );
  t.true(preempted > 100, `${preempted} attempts were ended for others`);
});

const CORES = [1, 2, 3, 4, 5];
const agents = new Map(
  CORES.flatMap((cpu) =>
    namedAgent(`c${cpu}`, { container: { image: 'x', resources: { requests: { cpu: String(cpu) } } } }),
  ),
);

/** The least number of `cores` that come to `short` together; infinite where all do not. */
function leastNumber(short: number, cores: readonly number[]): number {
  if (short <= 0) return 0;
  return Math.min(
    Infinity,
    ...cores.map(
      (one, i) =>
        1 +
        leastNumber(
          short - one,
          cores.filter((_, at) => at > i),
        ),
    ),
  );
}

test('as few are ended as can be, and only where that is enough', (t) => {
  let ended = 0;
  const held = fc.array(fc.record({ cores: fc.constantFrom(...CORES), priority: fc.nat(3) }), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(
      held,
      fc.nat(3),
      fc.record({ cores: fc.constantFrom(...CORES), priority: fc.nat(4) }),
      (all, free, one) => {
        const runs = all.map(({ cores, priority }, i) =>
          heldRun(i + 1, `r${i}`, { agent: `c${cores}`, priority }),
        );
        const used = all.reduce((sum, { cores }) => sum + cores, 0);
        const hard = { 'requests.cpu': String(used + free) };
        const high: Run = namedRun('high', { agent: `c${one.cores}`, priority: one.priority });
        const queue = queueOf(
          preemptingLedger(
            { hard },
            runs.map(({ reservation }) => reservation),
          ),
          {
            ...NOTHING_OF_LEDGER,
            agents,
            runs: [...runs.map(({ run: its }) => its), high],
            started: new Set(runs.map(({ reservation }) => reservation.uid)),
            quotas: new Map([[NAMESPACE, countedQuota(NAMESPACE, hard, { 'requests.cpu': String(used) })]]),
          },
          NOW,
        );
        const lower = all.filter(({ priority }) => priority < one.priority).map(({ cores }) => cores);
        const least = leastNumber(one.cores - free, lower);
        const [admitted] = queue.admitted;
        t.is(admitted === undefined, least === Infinity);
        if (admitted !== undefined) t.is(admitted.awaits?.length ?? 0, least);
        ended += admitted?.awaits?.length ?? 0;
      },
    ),
    { numRuns: 300, seed: SEED },
  );
  t.true(ended > 100, `${ended} were ended`);
});
