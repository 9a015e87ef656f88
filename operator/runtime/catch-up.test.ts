// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { attachCluster } from '#hack/cluster/attach';
import { eventually } from '#hack/tools/eventually';
import { createLog } from '../telemetry/log.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { Cache } from './cache.ts';
import { catchUp } from './catch-up.ts';
import { createClient } from './client.ts';
import { REFLECTOR_TIMING } from './reflector.ts';
import { FaultProxy } from './testing/fault-proxy.ts';
import { createWidgetWorld, makeWidget } from './testing/widgets.ts';

test('a store whose watch is silent is brought up to date, and only what is old is read', async (t) => {
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
  for (const name of ['same', 'changed', 'replaced']) {
    await world.client.create(widgets, makeWidget(world, name, { text: 'old' }), 'test');
  }
  await cache.start(watching.signal).synced;
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
  await catchUp(widgets, { client, cache });
  t.deepEqual(['same', 'changed', 'replaced', 'made'].map(textOf), ['old', 'new', 'new', 'new']);
  const read = proxy.requests.slice(before).filter(({ path }) => path.includes(`/${namespace}/widgets/`));
  const names = read.map(({ path }) => path.split('/').at(-1));
  t.is(names.length, 3);
  t.deepEqual(new Set(names), new Set(['changed', 'made', 'replaced']));
  await eventually('what is read is not read again', async () => {
    const asked = proxy.requests.length;
    await catchUp(widgets, { client, cache });
    return proxy.requests.slice(asked).every(({ path }) => !path.includes(`/${namespace}/widgets/`));
  });
});
