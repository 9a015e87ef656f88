// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import type { QuotaLedgerStatus } from '#crds/v1alpha1/quota-ledger';
import type { KubeObject } from '../core/object.ts';
import { parseQuantity } from '../core/quota/quantity.ts';
import { isPodFinished } from '../core/run/outcome.ts';
import { hasStatus } from '../runtime/api-error.ts';
import { eventually } from '#hack/tools/eventually';
import { QUOTA_LEDGERS, RESOURCE_QUOTAS, TENANTS } from '../core/resources.ts';
import { CORE_EVENTS, PODS } from './shared/workloads.ts';
import { followQuota } from './testing/quota-history.ts';
import {
  isQuotaContention,
  listAll,
  makeTenant,
  attachWorkloadRig,
  type WorkloadRig,
} from './testing/workload-rig.ts';

const test = anyTest.serial as TestFn<WorkloadRig>;

test.before(async (t) => {
  t.context = await attachWorkloadRig();
});
test.after.always((t) => t.context.close());

const HAMMERED = 'app=hammered';

/** A pod that is fit for a namespace of a tenant and runs until it is deleted. */
function podIn(namespace: string, name: string): KubeObject {
  const securityContext = {
    allowPrivilegeEscalation: false,
    runAsNonRoot: true,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  };
  const metadata = { namespace, name, labels: { app: 'hammered' } };
  const container = {
    name: 'main',
    image: 'registry.example.com/x:1',
    imagePullPolicy: 'Always',
    securityContext,
  };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [container] } };
}

async function tryCreate(rig: WorkloadRig, pod: KubeObject): Promise<boolean> {
  try {
    await rig.client.create(PODS, pod, 'test');
    return true;
  } catch (error) {
    if (hasStatus(error, 403) || isQuotaContention(error)) return false;
    throw error;
  }
}

async function livePods(rig: WorkloadRig, namespaces: readonly string[]): Promise<number> {
  const lists = await Promise.all(namespaces.map((namespace) => listAll(rig, PODS, { namespace })));
  return lists.flat().filter((pod) => !isPodFinished(pod)).length;
}

async function hardOf(rig: WorkloadRig, namespace: string): Promise<bigint> {
  const quota = await rig.client.get(RESOURCE_QUOTAS, { namespace, name: 'nexusos' });
  const status = quota?.['status'] as { hard?: Record<string, string> } | undefined;
  return parseQuantity(status?.hard?.['pods'] ?? '0') ?? 0n;
}

async function isBalanced(rig: WorkloadRig, name: string): Promise<boolean> {
  const ledger = await rig.client.get(QUOTA_LEDGERS, { name });
  const { conditions = [], grants = [] } = (ledger?.['status'] ?? {}) as QuotaLedgerStatus;
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True') && grants.length > 0;
}

test('sixteen clients hammer two namespaces with one quota: it is never exceeded, and all of it can be used', async (t) => {
  t.timeout(900_000);
  const rig = t.context;
  const historyOf = await followQuota(rig.client, { pods: HAMMERED, quotas: 'nexusos.dev/tenant=hammer' });
  await makeTenant(rig, 'hammer', {
    namespaces: [{ suffix: 'a' }, { suffix: 'b' }],
    quotas: { objects: { pods: '10' } },
  });
  const namespaces = ['hammer-a', 'hammer-b'];
  let created = 0;
  let refused = 0;
  const deadline = performance.now() + 120_000;
  const isEnough = () => (created > 50 && refused > 50) || performance.now() > deadline;
  const clients = Array.from({ length: 16 }, async (_, client) => {
    for (let i = 0; !isEnough(); i += 1) {
      // All clients lean to one side and then to the other, so that quota has to move.
      const side = Math.floor(performance.now() / 3000) % 2;
      const namespace = namespaces[i % 5 === 0 ? 1 - side : side]!;
      const pod = podIn(namespace, `p-${client}-${i}`);
      if (await tryCreate(rig, pod)) created += 1;
      else refused += 1;
      // Two of each client live at a time, which is three times what the quota allows.
      const oldest = { namespace, name: `p-${client}-${i - 2}` };
      for (const one of namespaces)
        await rig.client.delete(PODS, { ...oldest, namespace: one }).catch(ignoreMissing);
    }
  });
  await Promise.all(clients);
  t.true(created > 50, `${created} pods made`);
  t.true(refused > 50, `${refused} refused`);

  for (const namespace of namespaces)
    await rig.cluster.kubectl(['delete', 'pods', '--all', '-n', namespace, '--wait=false']);
  await eventually('all pods are gone', async () => (await livePods(rig, namespaces)) === 0);
  const filledFrom = performance.now();
  let made = 0;
  await fillWithReplicas(rig);
  await eventually('one namespace can use all of it', async () => {
    made = await livePods(rig, ['hammer-a']);
    return made === 10;
  });
  t.is(made, 10);
  t.log(`all 10 in one namespace after ${Math.round((performance.now() - filledFrom) / 1000)} s`);
  const { most, mostGranted, mostUncounted } = await historyOf();
  t.log(
    `${created} pods made, ${refused} refused, at most ${most.length} at one time; uncounted by Kubernetes: ${mostUncounted}`,
  );
  t.is(mostGranted, 10);
  // A ResourceQuota lets in whatever Kubernetes itself has lost count of, whoever wrote it.
  t.true(most.length <= 10 + mostUncounted, most.join('\n'));
  t.true((await hardOf(rig, 'hammer-a')) + (await hardOf(rig, 'hammer-b')) <= 10_000n);
});

function ignoreMissing(error: unknown): void {
  if (!hasStatus(error, 404)) throw error;
}

/** A ReplicaSet of exactly the whole quota in one of the namespaces. */
async function fillWithReplicas(rig: WorkloadRig): Promise<void> {
  const { spec, metadata } = podIn('hammer-a', 'whole');
  const { labels } = metadata;
  const stdin = JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata,
    spec: { replicas: 10, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  });
  const applied = await rig.cluster.kubectl(['apply', '-f', '-'], { stdin });
  if (applied.code !== 0) throw new Error(applied.stderr);
}

test('a quota that is lowered below use evicts nothing, and is told', async (t) => {
  const rig = t.context;
  await makeTenant(rig, 'lower', {
    namespaces: [{ suffix: 'a' }, { suffix: 'b' }],
    quotas: { objects: { pods: '4' } },
  });
  t.true(await tryCreate(rig, podIn('lower-a', 'one')));
  t.true(await tryCreate(rig, podIn('lower-b', 'one')));
  await rig.client.patch(
    TENANTS,
    { name: 'lower' },
    { body: { spec: { quotas: { objects: { pods: '1' } } } } },
  );
  await eventually('the ledger says OverCommitted', async () => {
    const ledger = await rig.client.get(QUOTA_LEDGERS, { name: 'lower' });
    const { conditions = [] } = (ledger?.['status'] ?? {}) as QuotaLedgerStatus;
    return conditions.some(({ type, reason }) => type === 'Ready' && reason === 'OverCommitted');
  });
  await eventually(
    'nothing new may start',
    async () => (await hardOf(rig, 'lower-a')) + (await hardOf(rig, 'lower-b')) <= 1000n,
  );
  t.false(await tryCreate(rig, podIn('lower-a', 'two')));
  t.is(await livePods(rig, ['lower-a', 'lower-b']), 2);
});

test('a namespace that goes gives its part back to the others', async (t) => {
  const rig = t.context;
  await makeTenant(rig, 'leave', {
    namespaces: [{ suffix: 'a' }, { suffix: 'b' }],
    quotas: { objects: { pods: '10' } },
  });
  await eventually('it is dealt out', async () => (await hardOf(rig, 'leave-a')) === 5000n);
  const metadata = { annotations: { 'nexusos.dev/confirm-deletion': 'leave-b' } };
  await rig.client.patch(
    TENANTS,
    { name: 'leave' },
    { body: { metadata, spec: { namespaces: [{ suffix: 'a' }] } } },
  );
  await eventually(
    'all of it is with the one that is left',
    async () => (await hardOf(rig, 'leave-a')) === 10_000n,
  );
  t.true(await isBalanced(rig, 'leave'));
});

test('a tenant that is deleted goes without a failed pass of its ledger', async (t) => {
  const rig = t.context;
  await makeTenant(rig, 'mover', {
    namespaces: [{ suffix: 'a' }, { suffix: 'b' }],
    quotas: { objects: { pods: '10' } },
  });
  t.true(await tryCreate(rig, podIn('mover-a', 'one')));
  await rig.client.patch(
    TENANTS,
    { name: 'mover' },
    { body: { metadata: { annotations: { 'nexusos.dev/confirm-deletion': 'mover' } } } },
  );
  await rig.client.delete(TENANTS, { name: 'mover' });
  const isGone = async () => (await rig.client.get(TENANTS, { name: 'mover' })) === undefined;
  await eventually('it is gone', isGone);
  const events = await listAll(rig, CORE_EVENTS);
  const failures = events.filter(
    (event) =>
      event['reason'] === 'ReconcileFailed' &&
      (event['involvedObject'] as { name?: string } | undefined)?.name === 'mover',
  );
  t.deepEqual(
    failures.map((event) => event['message']),
    [],
  );
});

test('a grant revision that somebody made up does not keep a ResourceQuota from being put right', async (t) => {
  const rig = t.context;
  await makeTenant(rig, 'forged', { namespaces: [{ suffix: 'a' }], quotas: { objects: { pods: '10' } } });
  await eventually('it is dealt out', async () => (await hardOf(rig, 'forged-a')) === 10_000n);
  const key = { namespace: 'forged-a', name: 'nexusos' };
  const annotations = { 'nexusos.dev/grant-revision': '999999' };
  const forged = { metadata: { annotations }, spec: { hard: { pods: '99' } } };
  await rig.client.patch(RESOURCE_QUOTAS, key, { body: forged });
  await eventually('it is as granted again', async () => {
    const quota = await rig.client.get(RESOURCE_QUOTAS, key);
    const revision = quota?.metadata.annotations?.['nexusos.dev/grant-revision'];
    return revision !== '999999' && (await hardOf(rig, 'forged-a')) === 10_000n;
  });
  t.is(await hardOf(rig, 'forged-a'), 10_000n);
});

test('a ResourceQuota that somebody changes or deletes is put right', async (t) => {
  const rig = t.context;
  await makeTenant(rig, 'drift', { namespaces: [{ suffix: 'a' }], quotas: { objects: { pods: '10' } } });
  const key = { namespace: 'drift-a', name: 'nexusos' };
  await rig.client.patch(RESOURCE_QUOTAS, key, { body: { spec: { hard: { pods: '99' } } } });
  await eventually('it is as granted again', async () => (await hardOf(rig, 'drift-a')) === 10_000n);
  const before = await rig.client.get(RESOURCE_QUOTAS, key);
  await rig.client.delete(RESOURCE_QUOTAS, key);
  await eventually('it is made again', async () => {
    const now = await rig.client.get(RESOURCE_QUOTAS, key);
    return (
      now !== undefined &&
      now.metadata.uid !== before?.metadata.uid &&
      (await hardOf(rig, 'drift-a')) === 10_000n
    );
  });
  t.is(await hardOf(rig, 'drift-a'), 10_000n);
});
