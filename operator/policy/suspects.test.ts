// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { createMetrics } from '../telemetry/metrics.ts';
import { PolicyHost } from './host.ts';
import { type PolicyModule, verifyModule } from './module.ts';
import { type HandMade, handMade } from './testing/hand-made.ts';

const LOOP = '(loop $on (br $on)) unreachable';

async function moduleOf(changes: HandMade = {}): Promise<PolicyModule> {
  const verified = verifyModule(await handMade(changes));
  if (verified.kind === 'refused') throw new Error(verified.faults[0]?.message);
  return verified.module;
}

/** A host in which the rules of `b` take one of two workers for a while, and who comes to an end first beside them. */
async function world(t: ExecutionContext) {
  const limits = {
    maxDeadlineMs: 10_000,
    maxWaitMs: 60_000,
    loadDeadlineMs: 50,
    warmUpMs: 20,
    patienceMs: 60_000,
    budget: { msPerSecond: 1e6, burstMs: 1e6 },
    quarantine: { strikes: 100, withinMs: 1000 },
  };
  const workers = { platformWorkers: 0, tenantWorkers: 2, spareWorkers: 0 };
  const host = new PolicyHost({ ...workers, metrics: createMetrics(), limits });
  t.teardown(() => host.close());
  await host.ready();
  const [quick, endless] = [await moduleOf(), await moduleOf({ evaluate: LOOP })];
  const input = new TextEncoder().encode('{}');
  const usual = { entrypoint: 'p/x', input, nowNs: 0n, memoryMiB: 8 };
  const ask = (
    tenant: string,
    module: PolicyModule,
    times: { readonly deadlineMs: number; readonly ownDeadlineMs?: number },
  ) => host.evaluate({ ...usual, tenant, module, ...times });
  // What was long ago counts no more: all that takes a while on a machine that is busy is done before.
  for (const module of [quick, endless]) await ask('b', module, { deadlineMs: 50 });
  const firstOf = async () => {
    const order: string[] = [];
    const ended = (who: string) => () => order.push(who);
    await Promise.all([
      ask('b', endless, { deadlineMs: 300 }).then(ended('b')),
      ask('a', quick, { deadlineMs: 10_000 }).then(ended('a')),
    ]);
    return order[0];
  };
  return { host, ask, endless, firstOf };
}

test.serial('whose rules are stopped waits until two workers are idle', async (t) => {
  const { ask, endless, firstOf } = await world(t);
  for (const _ of [1, 2]) t.like(await ask('a', endless, { deadlineMs: 5 }), { reason: 'Timeout' });
  t.is(await firstOf(), 'b');
});

test.serial('that a request had next to no time left says nothing of the rules', async (t) => {
  const { ask, endless, firstOf } = await world(t);
  const left = { deadlineMs: 5, ownDeadlineMs: 1000 };
  for (const _ of [1, 2]) t.like(await ask('a', endless, left), { reason: 'Timeout' });
  t.is(await firstOf(), 'a');
});

test.serial('that an instance has to be made says nothing of the rules', async (t) => {
  const { ask, firstOf } = await world(t);
  const module = await moduleOf({ more: `(func $begin ${LOOP}) (start $begin)` });
  for (const _ of [1, 2]) t.like(await ask('a', module, { deadlineMs: 5 }), { reason: 'Timeout' });
  t.is(await firstOf(), 'a');
});

test.serial('what is asked to be warm says nothing of the rules', async (t) => {
  const { host, endless, firstOf } = await world(t);
  const preparation = { module: endless, memoryMiB: 8, tenant: 'a' };
  for (const _ of [1, 2]) t.like(await host.prepare(preparation), { reason: 'Timeout' });
  t.is(await firstOf(), 'a');
});
