// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { attachCluster } from '#hack/cluster/attach';
import { follow } from './follow.ts';
import { CONFIG_MAPS, createWidgetWorld } from './widgets.ts';

test('what a telling throws is thrown at the end, and nothing more is told', async (t) => {
  const world = await createWidgetWorld((await attachCluster()).kubeconfigPath);
  t.teardown(() => world.close());
  const { client, namespace } = world;
  const told = Promise.withResolvers<string>();
  const following = await follow({ client, resource: CONFIG_MAPS, namespace }, ({ object }) => {
    told.resolve(object.metadata.name);
    throw new Error('cannot be counted');
  });
  const metadata = { namespace, name: 'a' };
  await client.create(CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata }, 'test');
  await told.promise;
  await t.throwsAsync(following.stop(), { message: 'cannot be counted' });
});
