// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { attachCluster } from '#hack/cluster/attach';
import { eventually } from '#hack/tools/eventually';
import { createLog } from '../telemetry/log.ts';
import { createClient } from './client.ts';
import { type ElectorOptions, LeaderElector } from './leader-election.ts';
import { LEASES, type LeaseSpec } from './lease.ts';
import { FaultProxy } from './testing/fault-proxy.ts';
import { createWidgetWorld } from './testing/widgets.ts';

const NAME = 'elected';
/** A lease that no busy machine lets run out. */
const LONG = { leaseDurationMs: 60_000, renewDeadlineMs: 40_000 };
/** Short, so that a test of its end takes seconds; long enough to be got while others have the processors. */
const QUICK = { leaseDurationMs: 9000, renewDeadlineMs: 6000 };

async function candidate(t: ExecutionContext, options: Partial<ElectorOptions> = {}) {
  const world = await createWidgetWorld((await attachCluster()).kubeconfigPath);
  const proxy = await FaultProxy.start(world.credentials);
  const client = createClient({ credentials: proxy.credentials });
  const told: boolean[] = [];
  const elector = new LeaderElector({
    client,
    identity: 'us',
    log: createLog({ level: 'silent' }),
    namespace: world.namespace,
    name: NAME,
    ...LONG,
    retryPeriodMs: 200,
    onChange: (isLeading) => told.push(isLeading),
    ...options,
  });
  t.teardown(async () => {
    await elector.stop();
    await client.close();
    await proxy.close();
    await world.close();
  });
  const key = { namespace: world.namespace, name: NAME };
  const lease = async () => {
    const found = await world.client.get(LEASES, key);
    return { spec: (found?.['spec'] ?? {}) as LeaseSpec, annotations: found?.metadata.annotations ?? {} };
  };
  return { elector, proxy, told, lease, world, key };
}

test('who holds the lease leads only when that is confirmed', async (t) => {
  let asked = 0;
  let answer = false;
  const { elector, told, lease } = await candidate(t, {
    confirm: () => {
      asked += 1;
      if (asked === 1) return Promise.reject(new Error('cannot see'));
      return Promise.resolve(answer);
    },
  });
  elector.start();
  await eventually('it was asked some times', () => asked > 3);
  t.is((await lease()).spec.holderIdentity, 'us');
  t.false(elector.isLeader());
  t.throws(() => elector.fence());
  t.deepEqual(told, []);
  answer = true;
  await eventually('it leads', () => elector.isLeader());
  const before = asked;
  const { renewTime } = (await lease()).spec;
  await eventually('it has renewed', async () => (await lease()).spec.renewTime !== renewTime);
  t.is(asked, before, 'once is enough while the lease does not run out');
});

test('after its lease had run out it has to be confirmed anew, though nobody took it', async (t) => {
  let asked = 0;
  const { elector, proxy, told } = await candidate(t, {
    ...QUICK,
    confirm: () => Promise.resolve((asked += 1) > 0),
  });
  elector.start();
  await eventually('it leads', () => elector.isLeader());
  t.true(asked > 0);
  const cut = proxy.inject({ kind: 'cutBefore' }, (seen) => seen.path.includes('/leases'), 1e9);
  await eventually('it leads no more', () => !elector.isLeader() && told.at(-1) === false);
  // On a busy machine a lease as short as this may have run out by itself before.
  const before = asked;
  cut.times = 0;
  await eventually('it leads again', () => elector.isLeader());
  t.true(asked > before);
  t.true(
    told.every((isLeading, index) => isLeading === (index % 2 === 0)),
    told.join(),
  );
});

test('what somebody notes on the lease neither costs it nor is lost', async (t) => {
  const { elector, world, key, told, lease } = await candidate(t, {
    annotate: (before, isOurs) => ({ ...before, ours: String(isOurs) }),
  });
  elector.start();
  await eventually('it leads', () => elector.isLeader());
  for (let i = 0; i < 20; i += 1) {
    await world.client.patch(LEASES, key, { body: { metadata: { annotations: { note: String(i) } } } });
  }
  const { renewTime } = (await lease()).spec;
  await eventually('it has renewed', async () => (await lease()).spec.renewTime !== renewTime);
  t.deepEqual((await lease()).annotations, { note: '19', ours: 'true' });
  t.deepEqual(told, [true]);
});

test('who stops without giving the lease back leaves it to run out', async (t) => {
  const { elector, lease } = await candidate(t);
  elector.start();
  await eventually('it leads', () => elector.isLeader());
  await elector.stop({ release: false });
  t.false(elector.isLeader());
  t.is((await lease()).spec.holderIdentity, 'us');
});
