// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { attachCluster } from '#hack/cluster/attach';
import { eventually } from '#hack/tools/eventually';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../../core/object.ts';
import { createLog } from '../../telemetry/log.ts';
import { createMetrics } from '../../telemetry/metrics.ts';
import { createClient } from '../client.ts';
import { LEASES, type LeaseSpec } from '../lease.ts';
import { createManager, type Manager } from '../manager.ts';
import { FaultProxy } from '../testing/fault-proxy.ts';
import { becomesReady, createWidget } from '../testing/rig.ts';
import { CONFIG_MAPS, createWidgetWorld, widgetController, type WidgetWorld } from '../testing/widgets.ts';
import type { Partition } from './partition.ts';
import { shardLeaseName, shardOf } from './shard-lease.ts';

const COUNT = 6;
const LEAD = 'lead';
/** One that no busy machine lets run out. */
const LEASE_MS = 20_000;
/** Short, so that a test of its end takes seconds; long enough to be kept while others have the processors. */
const QUICK_LEASE_MS = 9000;
/** A widget is dealt out by its name. */
const PARTITION: Partition = { groupOf: (_, { name }) => name, moves: [] };
/** One of each shard. */
const NAMES = Array.from({ length: COUNT }, (_, index) => nameIn(index));

interface Member {
  readonly manager: Manager;
  readonly proxy: FaultProxy;
  /** Names of widgets that it has written to, in order. */
  wrote(): readonly string[];
}

interface Joining {
  readonly identity: string;
  readonly count?: number;
  readonly leaseDurationMs?: number;
}

function nameIn(index: number): string {
  for (let i = 0; ; i += 1) if (shardOf(`w-${i}`, COUNT) === index) return `w-${i}`;
}

async function worldOf(t: ExecutionContext): Promise<WidgetWorld> {
  const world = await createWidgetWorld((await attachCluster()).kubeconfigPath);
  t.teardown(() => world.close());
  return world;
}

async function join(
  t: ExecutionContext,
  world: WidgetWorld,
  { identity, count = COUNT, leaseDurationMs = LEASE_MS }: Joining,
): Promise<Member> {
  const { namespace, widgets } = world;
  const proxy = await FaultProxy.start(world.credentials);
  const metrics = createMetrics();
  const client = createClient({ credentials: proxy.credentials, metrics, timeoutMs: 20_000 });
  const manager = createManager({
    client,
    controllers: [widgetController(world)],
    identity,
    namespace,
    leaderElection: {
      namespace,
      name: LEAD,
      leaseDurationMs,
      renewDeadlineMs: leaseDurationMs * 0.7,
      retryPeriodMs: leaseDurationMs * 0.15,
      amongShards: true,
    },
    sharding: count === 0 ? undefined : { count, partition: PARTITION, counted: widgets },
    metrics,
    log: createLog({ level: process.env['NEXUSOS_TEST_LOG'] === undefined ? 'silent' : 'debug' }),
  });
  t.teardown(async () => {
    proxy.heal();
    await manager.stop();
    await client.close();
    await proxy.close();
  });
  await manager.start();
  const wrote = () => {
    const writes = proxy.requests.filter(
      ({ method, path }) => method !== 'GET' && path.includes('/widgets/'),
    );
    return writes.map(({ path }) => path.split('/widgets/')[1]?.split('/')[0] ?? '');
  };
  return { manager, proxy, wrote };
}

async function leaseOf({ client, namespace }: WidgetWorld, index: number): Promise<KubeObject | undefined> {
  return client.get(LEASES, { namespace, name: shardLeaseName(LEAD, index) });
}

/** Holders of the shards, in their order. */
async function holders(world: WidgetWorld): Promise<readonly string[]> {
  const leases = await Promise.all(NAMES.map((_, index) => leaseOf(world, index)));
  return leases.map((lease) => (lease?.['spec'] as LeaseSpec | undefined)?.holderIdentity ?? '');
}

async function isHeldBy(world: WidgetWorld, wanted: Readonly<Record<string, number>>): Promise<void> {
  await eventually(`shards are held: ${JSON.stringify(wanted)}`, async () => {
    const found = await holders(world);
    const isSo = Object.entries(wanted).every(
      ([who, count]) => found.filter((one) => one === who).length === count,
    );
    if (!isSo) throw new Error(found.join(' '));
    return true;
  });
}

/**
 * Waits until nobody holds a shard: `who` has given back each, or lets it run out, as it does with one of which something was still under
 * way. Its times are by the clock of this machine.
 */
async function isLeftBy(world: WidgetWorld, who: string): Promise<void> {
  await eventually(`${who} holds no shard`, async () => {
    const leases = await Promise.all(NAMES.map((_, index) => leaseOf(world, index)));
    const held = leases.map((lease) => (lease?.['spec'] ?? {}) as LeaseSpec).filter(isHeld);
    if (held.length > 0) throw new Error(`${held.length} are held: ${JSON.stringify(held)}`);
    return true;
  });
}

function isHeld({ holderIdentity = '', renewTime = '', leaseDurationSeconds = 0 }: LeaseSpec): boolean {
  return holderIdentity !== '' && Date.now() < Date.parse(renewTime) + leaseDurationSeconds * 1000;
}

test('each of two works on its own, and what one leaves the other takes at once', async (t) => {
  const world = await worldOf(t);
  const a = await join(t, world, { identity: 'a' });
  await isHeldBy(world, { a: COUNT });
  const b = await join(t, world, { identity: 'b' });
  await isHeldBy(world, { a: COUNT / 2, b: COUNT / 2 });
  for (const name of NAMES) await createWidget({ world }, name, { copies: 1 });
  for (const name of NAMES) await becomesReady({ world }, name);
  const held = await holders(world);
  t.deepEqual(new Set(a.wrote()), new Set(NAMES.filter((_, index) => held[index] === 'a')));
  t.deepEqual(new Set(b.wrote()), new Set(NAMES.filter((_, index) => held[index] === 'b')));
  await a.manager.stop();
  await isHeldBy(world, { b: COUNT });
  for (const name of NAMES) await world.client.delete(CONFIG_MAPS, { ...world, name: `${name}-copy-0` });
  for (const name of NAMES) await becomesReady({ world }, name);
  await eventually('also what is in no shard', () => b.manager.isLeader());
});

test('who cannot renew writes nothing after its deadline, and others do its work', async (t) => {
  const world = await worldOf(t);
  const a = await join(t, world, { identity: 'a', leaseDurationMs: QUICK_LEASE_MS });
  await isHeldBy(world, { a: COUNT });
  await join(t, world, { identity: 'b', leaseDurationMs: QUICK_LEASE_MS });
  await isHeldBy(world, { a: COUNT / 2, b: COUNT / 2 });
  a.proxy.inject({ kind: 'cutBefore' }, (seen) => seen.path.includes('/leases'), 1e9);
  await isHeldBy(world, { b: COUNT });
  const before = a.proxy.requests.length;
  for (const name of NAMES) await createWidget({ world }, name, { copies: 1 });
  for (const name of NAMES) await becomesReady({ world }, name);
  const writes = a.proxy.requests.slice(before).filter((seen) => seen.method !== 'GET');
  t.deepEqual(
    writes.filter((seen) => !seen.path.includes('/leases')),
    [],
  );
  a.proxy.heal();
  await isHeldBy(world, { a: COUNT / 2, b: COUNT / 2 });
});

test('a shard is given to who asks for it only when nothing of it is under way', async (t) => {
  const world = await worldOf(t);
  const { client, namespace } = world;
  const a = await join(t, world, { identity: 'a' });
  await isHeldBy(world, { a: COUNT });
  a.proxy.inject(
    { kind: 'delay', delayMs: 8000 },
    (seen) => seen.method === 'POST' && seen.path.endsWith('/configmaps'),
    1e9,
  );
  for (const name of NAMES) await createWidget({ world }, name, { copies: 0 });
  await eventually('all are under way', () => a.proxy.faultCount >= COUNT);
  await join(t, world, { identity: 'b' });
  let wasAsked = false;
  await eventually('half of them are given away', async () => {
    const found = await holders(world);
    // In this order: what was given away by then was done before.
    const done = await Promise.all(
      NAMES.map((name) => client.get(CONFIG_MAPS, { namespace, name: `${name}-once` })),
    );
    found.forEach((holder, index) =>
      t.false(holder !== 'a' && done[index] === undefined, `${holder} ${index}`),
    );
    const leases = await Promise.all(NAMES.map((_, index) => leaseOf(world, index)));
    wasAsked ||= leases.some(
      (lease, index) =>
        lease?.metadata.annotations?.[ANNOTATIONS.claimedBy] !== undefined && done[index] === undefined,
    );
    return found.filter((one) => one === 'b').length === COUNT / 2;
  });
  t.log(wasAsked ? 'it was asked for before' : 'it was asked for when all was done: the machine is busy');
  for (const name of NAMES) await becomesReady({ world }, name);
});

test('who works by another number of shards, or by none, waits until the others have left', async (t) => {
  const world = await worldOf(t);
  const a = await join(t, world, { identity: 'a' });
  await isHeldBy(world, { a: COUNT });
  const other = await join(t, world, { identity: 'other', count: COUNT - 1 });
  const lone = await join(t, world, { identity: 'lone', count: 0 });
  await createWidget({ world }, NAMES[0] ?? '', { copies: 1 });
  await becomesReady({ world }, NAMES[0] ?? '');
  t.deepEqual([...other.wrote(), ...lone.wrote()], []);
  t.deepEqual(
    await holders(world),
    NAMES.map(() => 'a'),
  );
  await a.manager.stop();
  await createWidget({ world }, NAMES[1] ?? '', { copies: 1 });
  await becomesReady({ world }, NAMES[1] ?? '');
  const [first, second] = lone.manager.isLeader() ? [lone, other] : [other, lone];
  t.deepEqual(second.wrote(), [], 'one of both works');
  await first.manager.stop();
  await createWidget({ world }, NAMES[2] ?? '', { copies: 1 });
  await becomesReady({ world }, NAMES[2] ?? '');
  t.true(second.wrote().includes(NAMES[2] ?? ''));
});

test('a lead that comes to work by no shards begins only when those who do have given theirs back', async (t) => {
  const world = await worldOf(t);
  const { client, namespace } = world;
  await join(t, world, { identity: 'a' });
  await isHeldBy(world, { a: COUNT });
  // As somebody who takes the lead while `a` cannot renew it, and deals out nothing.
  const lone = { holderIdentity: 'lone', leaseDurationSeconds: 600 };
  const body = { metadata: { annotations: { [ANNOTATIONS.shards]: '0' } }, spec: lone };
  await client.patch(LEASES, { namespace, name: LEAD }, { body });
  await isLeftBy(world, 'a');
  await createWidget({ world }, NAMES[0] ?? '', { copies: 1 });
  await client.patch(LEASES, { namespace, name: LEAD }, { body: { spec: { holderIdentity: '' } } });
  await becomesReady({ world }, NAMES[0] ?? '');
  await isHeldBy(world, { a: COUNT });
  t.pass();
});
