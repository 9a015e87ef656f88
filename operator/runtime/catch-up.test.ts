// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import { attachCluster } from '#hack/cluster/attach';
import { eventually } from '#hack/tools/eventually';
import type { KubeObject } from '../core/object.ts';
import { createLog } from '../telemetry/log.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { hasStatus } from './api-error.ts';
import { Cache } from './cache.ts';
import { catchUp } from './catch-up.ts';
import { createClient } from './client.ts';
import { REFLECTOR_TIMING } from './reflector.ts';
import { FaultProxy } from './testing/fault-proxy.ts';
import { createWidgetWorld, makeWidget } from './testing/widgets.ts';

/** Widgets, and a store of them whose watch can be silenced. */
async function storeOf(t: ExecutionContext) {
  const world = await createWidgetWorld((await attachCluster()).kubeconfigPath);
  const { widgets, namespace } = world;
  const proxy = await FaultProxy.start(world.credentials);
  const metrics = createMetrics();
  const client = createClient({ credentials: proxy.credentials, metrics });
  const cache = new Cache({
    client,
    timing: REFLECTOR_TIMING,
    metrics,
    log: createLog({ level: 'silent' }),
    indexes: [],
  });
  cache.watch({ resource: widgets, namespace }, () => undefined);
  const watching = new AbortController();
  t.teardown(async () => {
    watching.abort();
    await client.close();
    await proxy.close();
    await world.close();
  });
  return { world, widgets, namespace, proxy, client, cache, watching: watching.signal };
}

test('a store whose watch is silent is brought up to date, and only what is old is read', async (t) => {
  const { world, widgets, namespace, proxy, client, cache, watching } = await storeOf(t);
  for (const name of ['same', 'changed', 'replaced']) {
    await world.client.create(widgets, makeWidget(world, name, { text: 'old' }), 'test');
  }
  await cache.start(watching).synced;
  proxy.watches.fateOf = () => 'drop';
  const change = { body: { spec: { text: 'new' } } };
  await world.client.patch(widgets, { namespace, name: 'changed' }, change);
  await world.client.delete(widgets, { namespace, name: 'replaced' });
  for (const name of ['replaced', 'made']) {
    await world.client.create(widgets, makeWidget(world, name, { text: 'new' }), 'test');
  }
  const textOf = (name: string) =>
    (cache.get(widgets, { namespace, name })?.['spec'] as { readonly text?: string } | undefined)?.text;
  t.is(textOf('changed'), 'old', 'its watch has told of nothing');
  const before = proxy.requests.length;
  const means = { client, cache, claim: 'b' };
  await catchUp({ resource: widgets }, means);
  t.deepEqual(['same', 'changed', 'replaced', 'made'].map(textOf), ['old', 'new', 'new', 'new']);
  const read = proxy.requests.slice(before).filter(({ path }) => path.includes(`/${namespace}/widgets/`));
  const names = read.map(({ path }) => path.split('/').at(-1));
  t.is(names.length, 3);
  t.deepEqual(new Set(names), new Set(['changed', 'made', 'replaced']));
  await eventually('what is read is not read again', async () => {
    const asked = proxy.requests.length;
    await catchUp({ resource: widgets }, means);
    return proxy.requests.slice(asked).every(({ path }) => !path.includes(`/${namespace}/widgets/`));
  });
});

function isClaimed({ metadata }: KubeObject): boolean {
  return metadata.name !== 'free';
}

test('what a former leader decided on claimed objects fails, whenever it comes, and nothing else does', async (t) => {
  const { world, widgets, namespace, client, cache, watching } = await storeOf(t);
  const names = ['claimed', 'gone', 'free'];
  for (const name of names) {
    await world.client.create(widgets, makeWidget(world, name, { text: 'old' }), 'test');
  }
  await cache.start(watching).synced;
  const decided = names.map((name) => cache.get(widgets, { namespace, name })!);
  const [claimed, , free] = decided;
  await world.client.delete(widgets, { namespace, name: 'gone' });
  for (const claim of ['b 1', 'b 2']) {
    await catchUp({ resource: widgets, isClaimed }, { client, cache, claim });
    const now = await client.get(widgets, { namespace, name: 'claimed' });
    t.is(now?.metadata.annotations?.[ANNOTATIONS.ledBy], claim);
    const known = cache.get(widgets, { namespace, name: 'claimed' });
    t.is(known?.metadata.resourceVersion, now?.metadata.resourceVersion, 'the store knows it at once');
  }
  const late = await t.throwsAsync(() => world.client.replace(widgets, claimed!, 'test'));
  t.true(hasStatus(late, 409));
  await t.notThrowsAsync(() => world.client.replace(widgets, free!, 'test'));
});
