// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { attachCluster } from '#hack/cluster/attach';
import type { KubeObject } from '../core/object.ts';
import { createLog } from '../telemetry/log.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { Cache, type CacheOptions, type WatchTarget } from './cache.ts';
import { createClient } from './client.ts';
import { REFLECTOR_TIMING, type ReflectorTiming } from './reflector.ts';
import { eventually } from '#hack/tools/eventually';
import { FaultProxy, type SeenRequest } from './testing/fault-proxy.ts';
import { HandClock } from './testing/hand-clock.ts';
import { CONFIG_MAPS, createWidgetWorld } from './testing/widgets.ts';
import type { TransportOptions } from './transport.ts';

const labelled = (label: string): WatchTarget => ({ resource: CONFIG_MAPS, labelSelector: `app=${label}` });

function names(objects: readonly KubeObject[]): string[] {
  return objects.map((one) => one.metadata.name).toSorted();
}

async function makeCache(
  t: ExecutionContext,
  targets: readonly (WatchTarget & { readonly everywhere?: true })[],
  {
    clock,
    timing,
    ...limits
  }: Pick<TransportOptions, 'maxResponseBytes'> &
    Pick<CacheOptions, 'clock'> & { readonly timing?: Partial<ReflectorTiming> } = {},
) {
  const { kubeconfigPath } = await attachCluster();
  const world = await createWidgetWorld(kubeconfigPath);
  const proxy = await FaultProxy.start(world.credentials);
  const client = createClient({ credentials: proxy.credentials, ...limits });
  const cache = new Cache({
    client,
    timing: { ...REFLECTOR_TIMING, ...timing },
    metrics: createMetrics(),
    log: createLog({ level: 'silent' }),
    ...(clock && { clock }),
    indexes: [{ resource: CONFIG_MAPS, name: 'app', of: ({ metadata }) => [metadata.labels?.['app'] ?? ''] }],
  });
  const told: string[] = [];
  for (const [i, target] of targets.entries()) {
    const { everywhere, ...where } = target;
    const place = everywhere === true ? where : { ...where, namespace: world.namespace };
    cache.watch(place, ({ old, object }) => {
      told.push(`${i} ${(object ?? old)?.metadata.name ?? ''}`);
    });
  }
  const end = new AbortController();
  const { synced, ended } = cache.start(end.signal);
  t.teardown(async () => {
    end.abort();
    await ended;
    await client.close();
    await proxy.close();
    await world.close();
  });
  await synced;
  const make = (name: string, app: string, a: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: world.namespace, name, labels: { app } },
    data: { a },
  });
  const create = (name: string, app: string, a = 'b') =>
    world.client.create(CONFIG_MAPS, make(name, app, a), 'test');
  return { cache, proxy, world, told, create };
}

test('those who watch the same share one watch, and each is told', async (t) => {
  const all = { resource: CONFIG_MAPS };
  const { proxy, told, create } = await makeCache(t, [all, all, { ...all, metadataOnly: true }]);
  t.is(proxy.requests.filter((seen) => seen.isWatch).length, 2);
  await create('a', 'web');
  await eventually('all were told', () => ['0 a', '1 a', '2 a'].every((one) => told.includes(one)));
  t.pass();
});

test('an object that leaves a selection is gone for those who watch it', async (t) => {
  const { cache, world, create } = await makeCache(t, [labelled('web')]);
  const key = { namespace: world.namespace, name: 'a' };
  await create('a', 'web');
  await eventually('it is there', () => cache.get(CONFIG_MAPS, key) !== undefined);
  await world.client.patch(CONFIG_MAPS, key, { body: { metadata: { labels: { app: 'db' } } } });
  await eventually('it is gone', () => cache.get(CONFIG_MAPS, key) === undefined);
  t.pass();
});

function onlyWeb(object: KubeObject): KubeObject | undefined {
  return object.metadata.labels?.['app'] === 'web' ? object : undefined;
}

test('what is left out when it is trimmed is not there, and comes and goes with what it says', async (t) => {
  const { cache, world, told, create } = await makeCache(t, [{ resource: CONFIG_MAPS, trim: onlyWeb }]);
  const key = { namespace: world.namespace, name: 'a' };
  const relabel = (app: string) =>
    world.client.patch(CONFIG_MAPS, key, { body: { metadata: { labels: { app } } } });
  await create('a', 'db');
  await create('b', 'web');
  await eventually('the other is there', () => cache.get(CONFIG_MAPS, { ...key, name: 'b' }) !== undefined);
  t.deepEqual(told, ['0 b']);
  await relabel('web');
  await eventually('it is there', () => cache.get(CONFIG_MAPS, key) !== undefined);
  await relabel('db');
  await eventually('it is gone', () => cache.get(CONFIG_MAPS, key) === undefined);
  t.deepEqual(names(cache.list(CONFIG_MAPS, { namespace: world.namespace })), ['b']);
});

test('lists of several selections are one list, each object once and whole if anybody holds it whole', async (t) => {
  const metadata = { resource: CONFIG_MAPS, metadataOnly: true };
  const { cache, world, create } = await makeCache(t, [metadata, labelled('web'), labelled('db')]);
  await create('a', 'web');
  await create('b', 'db');
  await create('c', 'other');
  const { namespace } = world;
  await eventually('all are there', () => {
    const got = names(cache.list(CONFIG_MAPS, { namespace })).filter((name) => name.length === 1);
    return got.join() === 'a,b,c';
  });
  await eventually(
    'a is there whole',
    () => cache.get(CONFIG_MAPS, { namespace, name: 'a' })?.['data'] !== undefined,
  );
  t.is(cache.get(CONFIG_MAPS, { namespace, name: 'c' })?.['data'], undefined);
  t.deepEqual(names(cache.list(CONFIG_MAPS, { index: 'app', value: 'db' })), ['b']);
  t.throws(() => cache.list(CONFIG_MAPS, { index: 'none', value: '' }), { message: /has no index/ });
  const unwatched = { ...CONFIG_MAPS, kind: 'Other' };
  t.throws(() => cache.list(unwatched), { message: /is not watched/ });
});

test('what is gone from the store of all objects is gone, though another watch has not told it yet', async (t) => {
  const { cache, proxy, world, create } = await makeCache(t, [
    { resource: CONFIG_MAPS, everywhere: true },
    labelled('web'),
  ]);
  const { namespace } = world;
  const key = { namespace, name: 'a' };
  const { metadata } = await create('a', 'web');
  await eventually('it is there', () => cache.get(CONFIG_MAPS, key) !== undefined);
  await eventually('in both', () => names(cache.list(CONFIG_MAPS, { namespace })).includes('a'));
  proxy.watches.fateOf = (line, path) => (path.includes('labelSelector') ? 'drop' : { tell: line });
  await world.client.delete(CONFIG_MAPS, key, { uid: metadata.uid ?? 'none' });
  await eventually('it is gone', () => cache.get(CONFIG_MAPS, key) === undefined);
  t.false(names(cache.list(CONFIG_MAPS, { namespace })).includes('a'));
});

test('a write of our own is in the stores that it belongs to before any watch has told it', async (t) => {
  const { cache, proxy, world, create } = await makeCache(t, [labelled('web'), labelled('db')]);
  proxy.watches.fateOf = () => 'drop';
  cache.observeWrite(await create('a', 'web'));
  cache.observeWrite(await create('x', 'neither'));
  const { namespace } = world;
  t.is(cache.get(CONFIG_MAPS, { namespace, name: 'a' })?.metadata.name, 'a');
  t.is(cache.get(CONFIG_MAPS, { namespace, name: 'x' }), undefined);
});

test('that an object is not found says something only where a store would have it', async (t) => {
  const { cache, create } = await makeCache(t, [labelled('web')]);
  const live = await create('a', 'web');
  const holds = (app: string) =>
    cache.wouldHold({ ...live, metadata: { ...live.metadata, labels: { app } } });
  t.true(holds('web'));
  t.false(holds('db'));
  t.false(cache.wouldHold({ ...live, metadata: { ...live.metadata, namespace: 'default' } }));
  t.false(cache.wouldHold({ ...live, kind: 'Secret' }));
});

test('to say whether there is anything, one request for the metadata of one object is enough', async (t) => {
  const maxResponseBytes = 4096;
  const { cache, proxy, world, create } = await makeCache(t, [], { maxResponseBytes });
  const { namespace } = world;
  for (let i = 0; i < 20; i += 1) await create(`large-${i}`, 'web', 'x'.repeat(maxResponseBytes));
  const ask = async (app: string) => {
    const before = proxy.requests.length;
    const isThere = await cache.anyLive(CONFIG_MAPS, { namespace, labelSelector: `app=${app}` });
    return { isThere, requests: proxy.requests.length - before };
  };
  t.deepEqual(await ask('web'), { isThere: true, requests: 1 });
  t.deepEqual(await ask('db'), { isThere: false, requests: 1 });
});

/** A cache that is told of much, and asks whether three objects are still what it holds, all at once. Only the tests move its clock. */
async function askingWorld(t: ExecutionContext) {
  const clock = new HandClock();
  const { cache, proxy, world, create } = await makeCache(t, [{ resource: CONFIG_MAPS }], { clock });
  const { namespace } = world;
  const asked = ['one', 'two', 'three'];
  const heldOf = (name: string) => cache.get(CONFIG_MAPS, { namespace, name });
  for (const name of asked) await create(name, 'web');
  let made = 0;
  /** Others write, and the watch has told of all that. */
  const stir = async (): Promise<void> => {
    made += 1;
    await Promise.all(Array.from({ length: 8 }, (_, n) => create(`other-${made}-${n}`, 'db')));
    await eventually('all is told', () =>
      Array.from({ length: 8 }, (_, n) => heldOf(`other-${made}-${n}`)).every((one) => one !== undefined),
    );
  };
  await stir();
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const lists = () =>
    proxy.requests.filter((one) => one.method === 'GET' && !one.isWatch && one.path === path);
  const before = lists().length;
  const answers: boolean[] = [];
  const ask = async (): Promise<void> => {
    await clock.goTo(100);
    const held = asked.map((name) => heldOf(name)).filter((one) => one !== undefined);
    for (const one of held) void cache.isNewest(one).then((isNewest) => answers.push(isNewest));
    await clock.goTo(105);
  };
  /** What is written from then on is newer than what the list says. */
  const listed = () => eventually('the API server has answered', () => lists().at(before)?.status === 200);
  const answered = () => eventually('all three are answered', () => answers.length === 3 && answers);
  return { ask, listed, answered, lists: () => lists().length - before, clock, path, stir, proxy, world };
}

test('one list proves to all who ask at once that they know the newest, when others write', async (t) => {
  const { ask, listed, answered, lists, stir } = await askingWorld(t);
  await ask();
  await listed();
  await stir();
  t.deepEqual(await answered(), [true, true, true]);
  t.is(lists(), 1);
});

test('a watch that is cut off proves nothing, whatever the list says', async (t) => {
  const { ask, answered, lists, clock, proxy, world } = await askingWorld(t);
  proxy.watches.fateOf = () => 'drop';
  const key = { namespace: world.namespace, name: 'two' };
  await world.client.patch(CONFIG_MAPS, key, { body: { data: { a: 'other' } } });
  await ask();
  // The watch is waited for, and the list no longer.
  await eventually('what the list says is known', () => clock.nextMs < 1000);
  await clock.goTo(1100);
  t.deepEqual(await answered(), [false, false, false]);
  t.is(lists(), 1);
});

test('versions that went back have everything read anew', async (t) => {
  const { cache, proxy, world, create } = await makeCache(t, [{ resource: CONFIG_MAPS }]);
  const path = `/api/v1/namespaces/${world.namespace}/configmaps`;
  const watches = () => proxy.requests.filter((one) => one.isWatch && one.path === path).length;
  await create('one', 'a');
  await eventually('it is told', () => cache.get(CONFIG_MAPS, { namespace: world.namespace, name: 'one' }));
  const before = watches();
  // As an API server answers whose etcd was restored: long before what the watch has told.
  cache.observeVersion(CONFIG_MAPS, '1', performance.now());
  await eventually('the watch is begun anew', () => watches() > before);
  await create('two', 'a');
  await eventually('and goes on', () => cache.get(CONFIG_MAPS, { namespace: world.namespace, name: 'two' }));
  t.is(watches(), before + 1, 'once');
});

/** Watches and lists of ConfigMaps that came since this was called. */
function since({ proxy, world }: Awaited<ReturnType<typeof makeCache>>) {
  const from = proxy.requests.length;
  const path = `/api/v1/namespaces/${world.namespace}/configmaps`;
  return () => {
    const seen = proxy.requests.slice(from).filter((one) => one.path === path && one.method === 'GET');
    return seen.map(({ isWatch, isResumed }) =>
      isWatch ? `${isResumed ? 'resumed' : 'new'} watch` : 'list',
    );
  };
}

function isLook({ isWatch, path }: SeenRequest): boolean {
  return !isWatch && path.endsWith('/configmaps');
}

test('a watch that was cut off goes on where it was, if versions are as far', async (t) => {
  const rig = await makeCache(t, [{ resource: CONFIG_MAPS }]);
  const seen = since(rig);
  await rig.create('one', 'a');
  await eventually('it is told', () => rig.told.length > 0);
  rig.proxy.watches.cut();
  await eventually('the watch is taken up', () => seen().some((one) => one.endsWith('watch')));
  t.deepEqual(seen(), ['list', 'resumed watch']);
});

test('a watch that was cut off begins anew where versions went back meanwhile', async (t) => {
  const rig = await makeCache(t, [{ resource: CONFIG_MAPS }]);
  const { cache, proxy, world, create } = rig;
  const { namespace } = world;
  await create('one', 'a');
  await eventually('it is told', () => cache.get(CONFIG_MAPS, { namespace, name: 'one' }));
  // As an API server answers whose etcd was restored: long before what the watch has told.
  const list = { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', metadata: {}, items: [] };
  const body = JSON.stringify({ ...list, metadata: { resourceVersion: '1' } });
  proxy.inject(
    { kind: 'answer', status: 200, headers: { 'content-type': 'application/json' }, body },
    isLook,
  );
  const seen = since(rig);
  proxy.watches.cut();
  await eventually('the watch is taken up', () => seen().some((one) => one.endsWith('watch')));
  t.deepEqual(seen(), ['list', 'new watch']);
  await create('two', 'a');
  await eventually('and tells', () => cache.get(CONFIG_MAPS, { namespace, name: 'two' }));
});

test('of what is watched by its name alone, nothing else is asked for: there may be no right to', async (t) => {
  const rig = await makeCache(t, [{ resource: CONFIG_MAPS, fieldSelector: 'metadata.name=one' }]);
  const from = rig.proxy.requests.length;
  const watches = () => rig.proxy.requests.slice(from).filter((one) => one.isWatch);
  rig.proxy.watches.cut();
  await eventually('the watch is taken up', () => watches().length > 0);
  const asked = rig.proxy.requests.slice(from).filter(({ path }) => path.endsWith('/configmaps'));
  t.deepEqual(
    asked.map(({ isWatch, fieldSelector }) => `${isWatch ? 'watch' : 'list'} ${fieldSelector}`),
    ['list metadata.name=one', 'watch metadata.name=one'],
  );
});

test('a watch that ended when it was asked to goes on without a question', async (t) => {
  const rig = await makeCache(t, [{ resource: CONFIG_MAPS }], { timing: { watchMs: 1000 } });
  const seen = since(rig);
  await eventually('it was taken up twice', () => seen().length > 1);
  t.deepEqual(seen(), ['resumed watch', 'resumed watch']);
});

test('a list that is refused is not asked for again: each asks for himself', async (t) => {
  const { ask, answered, lists, path, proxy } = await askingWorld(t);
  proxy.inject(
    { kind: 'answer', status: 503 },
    (one) => one.path === path && !one.isWatch && one.method === 'GET',
  );
  await ask();
  t.deepEqual(await answered(), [false, false, false]);
  t.is(lists(), 1);
});

function keptMap(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'n' } };
}

test('what was kept is held until all was told, and then all gives way at once', async (t) => {
  const heard: string[] = [];
  const trim = (object: KubeObject) => {
    heard.push(object.metadata.name);
    return object;
  };
  const { cache, told, create } = await makeCache(t, [
    { ...labelled('web'), trim },
    { ...labelled('db'), trim },
  ]);
  await create('a', 'web');
  await eventually('it was told', () => told.includes('0 a'));
  const held = cache.held();
  t.is(held.length, 2);
  cache.recall(held.map((one, i) => ({ ...one, objects: [keptMap(`kept-${i}`)] })));
  t.deepEqual(names(cache.list(CONFIG_MAPS)), ['kept-0', 'kept-1']);

  const before = cache.toldAtMs;
  await create('b', 'web');
  await create('c', 'db');
  await eventually('both watches have told', () => heard.includes('b') && heard.includes('c'));
  t.true(cache.toldAtMs > before);
  t.deepEqual(names(cache.list(CONFIG_MAPS)), ['kept-0', 'kept-1']);
  t.false(told.includes('0 b'));

  cache.release();
  t.deepEqual(names(cache.list(CONFIG_MAPS)), ['a', 'b', 'c']);
  for (const one of ['0 b', '1 c', '0 kept-0', '1 kept-1']) t.true(told.includes(one), one);
  await create('d', 'web');
  await eventually('it goes on', () => told.includes('0 d'));
});

test('what was kept of other watches is held by none', async (t) => {
  const { cache, create, told } = await makeCache(t, [labelled('web'), labelled('db')]);
  await create('a', 'web');
  await eventually('it was told', () => told.includes('0 a'));
  const [first] = cache.held();
  const other = { watch: 'other', kind: 'ConfigMap', objects: [] };
  for (const kept of [[], [first!], [first!, other], [...cache.held(), other]])
    t.throws(() => cache.recall(kept), { message: /other watches/ });
  t.deepEqual(names(cache.list(CONFIG_MAPS)), ['a']);
});
