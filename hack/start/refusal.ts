// SPDX-License-Identifier: Apache-2.0
import { stringify } from 'yaml';
import type { KubeObject } from '#operator/core/object';
import type { AttachedCluster } from '../cluster/attached-cluster.ts';
import type { Verdict } from './outcome.ts';
import { at, itemsAt, textAt } from './snapshot.ts';

const WHAT = 'guardrail refuses a NodePort';

/**
 * Tries, as the admin of a tenant, what no tenant may do: to open a port on every node. The API server must refuse it by
 * a guardrail, and say why. Nothing is created either way: it is a server-side dry run.
 */
export async function tryRefusal(cluster: AttachedCluster, tenants: readonly KubeObject[]): Promise<Verdict> {
  const place = tenants.map(adminAndNamespace).find((one) => one !== undefined);
  if (place === undefined)
    return { what: WHAT, ok: false, detail: 'no tenant has a User as admin and a namespace' };
  const kubeconfig = await cluster.kubeconfigFor({ user: place.user });
  const stdin = stringify({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'open-to-all', namespace: place.namespace },
    spec: { type: 'NodePort', selector: { app: 'any' }, ports: [{ port: 80 }] },
  });
  const result = await cluster.kubectl(['apply', '--dry-run=server', '-f', '-'], { stdin, kubeconfig });
  const answer = result.stderr.trim().split('\n').at(-1) ?? '';
  const ok = result.code !== 0 && result.stderr.includes('ValidatingAdmissionPolicy');
  return { what: WHAT, ok, detail: ok ? answer : `not by a guardrail: ${answer || result.stdout.trim()}` };
}

function adminAndNamespace(tenant: KubeObject): { user: string; namespace: string } | undefined {
  const owner = itemsAt(tenant, 'spec', 'owners').find(
    (one) => at(one, 'kind') === 'User' && at(one, 'role') === 'admin',
  );
  const namespace = textAt(itemsAt(tenant, 'status', 'namespaces')[0], ['name']);
  return owner === undefined || namespace === '' ? undefined : { user: textAt(owner, ['name']), namespace };
}
