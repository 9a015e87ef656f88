// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import test from 'ava';
import { attachCluster } from './attach.ts';
import { startCluster } from './cluster.ts';
import { sharedClusterVariable, writeClusterDescription } from './description.ts';

test('attaches to the cluster that the environment describes, once, and lets it run on', async (t) => {
  await using owned = await startCluster({ kwok: false });
  const path = join(owned.description.dataDir, 'shared.json');
  await writeClusterDescription(path, owned.description);
  process.env[sharedClusterVariable] = path;
  const attached = await attachCluster();
  t.is(attached, await attachCluster());
  t.deepEqual(attached.description, owned.description);
  t.is((await attached.kubectl(['get', 'namespace', 'default'])).code, 0);
  const user = await attached.kubeconfigFor({ user: 'somebody' });
  t.is((await attached.kubectl(['get', 'secrets', '-A'], { kubeconfig: user })).code, 1);
  await attached.close();
  t.true(await owned.admin.healthy('/readyz'));
});
