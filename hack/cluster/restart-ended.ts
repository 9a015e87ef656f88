// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { adminClient } from './attached-cluster.ts';
import type { ComponentName } from './components.ts';
import type { ClusterDescription } from './description.ts';
import { StartWatch } from './start-watch.ts';
import { SupervisorClient } from './supervisor-client.ts';

/** Far beyond what it takes, as in a first start. */
const readyTimeoutMs = 120_000;

const advice = 'What else there is of the cluster runs on; `down` ends it.';

/** The others leave when they do not find the API server, and it waits for etcd. */
const foundations: readonly ComponentName[] = ['etcd', 'kube-apiserver'];

/**
 * Starts components of a running cluster again that have ended, and waits until the API server is ready. Their data is still
 * there. @throws Error with the end of its log, when one does not come up; the others run on.
 */
export async function restartEnded(
  description: ClusterDescription,
  ended: readonly ComponentName[],
): Promise<void> {
  if (ended.length === 0) return;
  const supervisor = await SupervisorClient.connect(description.socketPath);
  const admin = await adminClient(description);
  const logFolder = join(description.dataDir, 'logs');
  const watch = new StartWatch({ supervisor, logFolder, timeoutMs: readyTimeoutMs });
  try {
    for (const group of [ended.filter(isFoundation), ended.filter((name) => !isFoundation(name))]) {
      for (const name of group) await supervisor.ask({ op: 'restart', name });
      await watch.until('kube-apiserver', () => admin.healthy('/readyz'));
    }
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${advice}`, { cause: error });
  } finally {
    watch.close();
    supervisor.close();
    await admin.close();
  }
}

function isFoundation(name: ComponentName): boolean {
  return foundations.includes(name);
}
