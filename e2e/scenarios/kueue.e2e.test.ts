// SPDX-License-Identifier: Apache-2.0
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import type { AttachedCluster } from '#hack/cluster/attached-cluster';
import { startCluster } from '#hack/cluster/cluster';
import { installChart } from '#hack/system/chart';
import { type OperatorProcess, startOperator } from '#hack/system/operator-process';
import { KueueStandIn } from '#hack/system/testing/kueue/stand-in';
import { eventually } from '#hack/tools/eventually';
import { agent, FOREVER, type Run, run, waits, type World } from '../run-world.ts';
import { tenantManifest, User } from '../user.ts';

interface Place {
  readonly cluster: AttachedCluster;
  readonly user: User;
  readonly kueue: KueueStandIn;
  readonly close: () => Promise<void>;
}

const test = anyTest.serial as TestFn<Place>;
const CHECK_MS = { NEXUSOS_KUEUE_CHECK_MS: '500', NEXUSOS_LEASE_DURATION_MS: '2000' };

let operator: OperatorProcess | undefined;

test.before(async (t) => {
  const cluster = await startCluster({});
  await KueueStandIn.install(cluster);
  await installChart(cluster);
  operator = await startOperator(cluster, { env: CHECK_MS });
  const kueue = await KueueStandIn.start(cluster);
  const close = async () => {
    await operator?.stop();
    try {
      await kueue.stop();
    } finally {
      await cluster.stop();
    }
  };
  t.context = { cluster, user: new PatientUser(cluster), kueue, close };
});
test.after.always((t) => t.context.close());

interface Pod {
  readonly metadata: { readonly uid: string; readonly labels: Readonly<Record<string, string>> };
  readonly spec: {
    readonly schedulingGates?: readonly { readonly name: string }[];
    readonly nodeSelector?: Readonly<Record<string, string>>;
  };
}

/**
 * The administrator of a control plane that was brought up a moment ago, where kinds have just been installed: the API server knows how to apply
 * one a while after it serves it, and says so.
 */
class PatientUser extends User {
  override async applies(...objects: readonly object[]): Promise<void> {
    for (const one of objects) {
      const outcome = await eventually('the API server knows how to apply it', () =>
        super.applies(one).then(
          () => 'applied',
          (error: unknown) => (/There can be a delay/.test(String(error)) ? undefined : String(error)),
        ),
      );
      if (outcome !== 'applied') throw new Error(outcome);
    }
  }
}

async function world(
  t: ExecutionContext<Place>,
  name: string,
  { tenant = {}, worker = {} }: { readonly tenant?: object; readonly worker?: object } = {},
): Promise<World> {
  const { user } = t.context;
  const namespace = `${name}-main`;
  await user.applies(tenantManifest(name, tenant));
  await user.awaitsReady(`tenant/${name}`);
  await user.applies(agent(namespace, worker));
  await user.awaitsReady('-n', namespace, 'agent/worker');
  return { user, namespace };
}

function seen({ user, namespace }: World, name: string): Promise<Run | undefined> {
  return user.sees<Run>('-n', namespace, `run/${name}`);
}

async function becomes(place: World, name: string, phase: string): Promise<Run> {
  return eventually(`${name} is ${phase}`, async () => {
    const found = await seen(place, name);
    if (found?.status?.phase !== phase) throw new Error(JSON.stringify(found?.status));
    return found;
  });
}

async function podOf(place: World, name: string): Promise<Pod | undefined> {
  const child = (await seen(place, name))?.status?.child;
  return child && place.user.sees<Pod>('-n', place.namespace, `pod/${child.name}`);
}

test('a Run waits for Kueue in the queue of its tenant, says so in its words, and runs when it is admitted', async (t) => {
  const { user, kueue } = t.context;
  kueue.isHolding = true;
  const place = await world(t, 'lined', { tenant: { quotas: { compute: { 'requests.cpu': '2' } } } });
  t.is(
    (await user.sees<{ spec: { clusterQueue: string } }>('-n', 'lined-main', 'localqueue/nexusos'))?.spec
      .clusterQueue,
    'nexusos-lined',
  );
  await user.applies(run(place.namespace, 'first'));
  t.regex(await waits(place, 'first', 'WaitingForCapacity'), /Kueue/);
  await eventually('it says what Kueue says', async () =>
    /since the test holds it/.test(await waits(place, 'first', 'WaitingForCapacity')),
  );
  const pod = await podOf(place, 'first');
  t.is(pod?.metadata.labels['kueue.x-k8s.io/queue-name'], 'nexusos');
  t.deepEqual(pod?.spec.schedulingGates, [{ name: 'kueue.x-k8s.io/admission' }]);
  t.is((await seen(place, 'first'))?.status?.phase, 'Queued');
  t.is((await user.condition('QuotaReserved', '-n', place.namespace, 'run/first'))?.status, 'True');
  t.is((await user.condition('Admitted', '-n', place.namespace, 'run/first'))?.status, 'False');
  kueue.isHolding = false;
  await becomes(place, 'first', 'Succeeded');
  t.is((await user.condition('Admitted', '-n', place.namespace, 'run/first'))?.status, 'True');
});

test('a Run that Kueue evicts goes back to the queue, spends no retry, and runs again', async (t) => {
  const place = await world(t, 'ousted');
  await place.user.applies(run(place.namespace, 'batch', FOREVER));
  await becomes(place, 'batch', 'Running');
  const first = (await seen(place, 'batch'))?.status?.child?.name ?? '';
  t.context.kueue.isHolding = true;
  await t.context.kueue.evict({ namespace: place.namespace, name: first });
  await eventually('its second attempt waits', async () => {
    const { status } = (await seen(place, 'batch')) ?? {};
    return status?.phase === 'Queued' && status.attempt === 2 && status.retries === undefined;
  });
  t.context.kueue.isHolding = false;
  t.is((await becomes(place, 'batch', 'Running')).status?.attempt, 2);
});

test('kill -9 while a Run waits for Kueue starts nothing twice', async (t) => {
  const { kueue, cluster } = t.context;
  const place = await world(t, 'struck');
  kueue.isHolding = true;
  await place.user.applies(run(place.namespace, 'one', FOREVER));
  await waits(place, 'one', 'WaitingForCapacity');
  const before = await eventually('its pod is there', () => podOf(place, 'one'));
  await operator?.kill();
  kueue.isHolding = false;
  await eventually('its pod is admitted while nobody looks', async () => {
    const pod = await podOf(place, 'one');
    return (pod?.spec.schedulingGates ?? []).length === 0;
  });
  operator = await startOperator(cluster, { env: CHECK_MS });
  const found = await becomes(place, 'one', 'Running');
  t.is(found.status?.attempt, 1);
  t.is((await podOf(place, 'one'))?.metadata.uid, before.metadata.uid);
});

test('GPUs of a class are counted by Kueue in the flavor of that class, and its pod is let go to the nodes of it', async (t) => {
  const { user, kueue } = t.context;
  kueue.isHolding = false;
  const gpuClass = {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'GPUClass',
    metadata: { name: 'lined-h100' },
    spec: {
      resourceName: 'nvidia.com/gpu',
      nodeSelector: { 'nvidia.com/gpu.product': 'NVIDIA-H100-80GB-HBM3' },
      tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' }],
    },
  };
  await user.applies(gpuClass);
  const place = await world(t, 'carded', {
    tenant: { quotas: { gpus: [{ class: 'lined-h100', count: 4 }] } },
    worker: { gpu: { class: 'lined-h100', count: 3 } },
  });
  const flavor = await eventually('the class has a flavor', () =>
    user.sees<{ readonly spec: object }>('resourceflavor/nexusos-lined-h100'),
  );
  t.deepEqual(flavor.spec, { nodeLabels: { 'nvidia.com/gpu.product': 'NVIDIA-H100-80GB-HBM3' } });
  await user.applies(run(place.namespace, 'trains', FOREVER));
  await becomes(place, 'trains', 'Running');
  // Gate A has no place for it: the quota of the tenant is what Kueue has as well.
  await user.applies(run(place.namespace, 'more', FOREVER));
  await waits(place, 'more', 'GPUQuotaExceeded');
});

test('queues are put right, follow suspension, and go with the tenant; those of others are left alone', async (t) => {
  const { user } = t.context;
  const place = await world(t, 'kept');
  const policy = async () =>
    (await user.sees<{ readonly spec: { readonly stopPolicy: string } }>('clusterqueue/nexusos-kept'))?.spec
      .stopPolicy;
  t.is(await policy(), 'None');
  await user.does([
    'patch',
    'clusterqueue',
    'nexusos-kept',
    '--type=merge',
    '-p',
    '{"spec":{"stopPolicy":"Hold"}}',
  ]);
  await eventually('it is put right', async () => (await policy()) === 'None');
  await user.does(['delete', 'localqueue', 'nexusos', '-n', place.namespace]);
  await eventually('it is made anew', () => user.sees('-n', place.namespace, 'localqueue/nexusos'));
  await user.applies(tenantManifest('kept', { suspended: true, suspendPolicy: 'Pause' }));
  await eventually('it is drained', async () => (await policy()) === 'HoldAndDrain');

  const foreign = {
    apiVersion: 'kueue.x-k8s.io/v1beta2',
    kind: 'ClusterQueue',
    metadata: { name: 'nexusos-late' },
    spec: {},
  };
  await user.applies(foreign, tenantManifest('late'));
  const told = await eventually('the tenant says what is in its way', async () => {
    const ready = await user.condition('Ready', 'tenant/late');
    return ready?.reason === 'NameTaken' ? ready : undefined;
  });
  t.regex(told.message, /ClusterQueue nexusos-late .* kubectl delete clusterqueue nexusos-late/);
  t.is(await user.sees('-n', 'late-main', 'localqueue/nexusos'), undefined);
  await user.applies(agent('late-main'), run('late-main', 'held'));
  await waits({ user, namespace: 'late-main' }, 'held', 'QueueNotReady');
  await user.does(['delete', 'clusterqueue', 'nexusos-late']);
  await user.awaitsReady('tenant/late');
  await becomes({ user, namespace: 'late-main' }, 'held', 'Succeeded');

  await user.does(['annotate', 'tenant', 'late', 'nexusos.dev/confirm-deletion=late']);
  await user.does(['delete', 'tenant', 'late', '--wait=false']);
  await eventually('nothing of it is left', async () => {
    const left = [await user.sees('tenant/late'), await user.sees('clusterqueue/nexusos-late')];
    return left.every((one) => one === undefined);
  });
});

/** A LocalQueue that leads to another tenant. */
function queue(name: string) {
  return {
    apiVersion: 'kueue.x-k8s.io/v1beta2',
    kind: 'LocalQueue',
    metadata: { name },
    spec: { clusterQueue: 'nexusos-kept' },
  };
}

test('tenants neither write queues and Workloads, nor change how a pod of a Run waits', async (t) => {
  const { user, kueue, cluster } = t.context;
  const place = await world(t, 'sly');
  kueue.isHolding = true;
  await user.applies(run(place.namespace, 'one'));
  await waits(place, 'one', 'WaitingForCapacity');
  const pod = (await seen(place, 'one'))?.status?.child?.name ?? '';
  // Whatever somebody gave them: a role that lets them write the kinds of Kueue.
  const rbac = 'rbac.authorization.k8s.io';
  const rules = [
    {
      apiGroups: ['kueue.x-k8s.io'],
      resources: ['localqueues', 'workloads', 'workloads/status'],
      verbs: ['create', 'patch', 'get', 'delete'],
    },
  ];
  const metadata = { name: 'sly-queues' };
  await user.applies(
    { apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata, rules },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata,
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'sly-queues' },
      subjects: [{ apiGroup: rbac, kind: 'User', name: 'sly-admin' }],
    },
  );
  const tenant = new User(cluster, await cluster.kubeconfigFor({ user: 'sly-admin' }));
  const refused = async (args: readonly string[], stdin?: object) => {
    const said = await tenant.tries([...args, '-n', place.namespace], stdin && JSON.stringify(stdin));
    t.false(said.ok, said.text);
    t.regex(said.text, /policy_blocked/, said.text);
  };
  await refused(['create', '-f', '-'], queue('mine'));
  await refused(['delete', 'localqueue', 'nexusos']);
  await refused(['patch', 'localqueue', 'nexusos', '--type=merge', '-p', '{"spec":{"stopPolicy":"Hold"}}']);
  const template = { spec: { containers: [{ name: 'c', image: 'registry.example/worker:1' }] } };
  const podSets = [{ name: 'main', count: 1, template }];
  const workload = { ...queue('mine'), kind: 'Workload', spec: { queueName: 'nexusos', podSets } };
  await refused(['create', '-f', '-'], workload);
  const lastTransitionTime = '2026-11-22T00:00:00Z';
  const condition = { type: 'Admitted', status: 'True', reason: 'x', message: 'x', lastTransitionTime };
  const admitted = JSON.stringify({ status: { conditions: [condition] } });
  const name = await eventually('its Workload is there', async () => {
    const found = await user.sees<{ items: { metadata: { name: string } }[] }>(
      '-n',
      place.namespace,
      'workloads',
    );
    return found?.items[0]?.metadata.name;
  });
  await refused(['patch', 'workload', name, '--subresource=status', '--type=merge', '-p', admitted]);
  for (const patch of [
    '{"metadata":{"labels":{"kueue.x-k8s.io/queue-name":"other"}}}',
    '{"spec":{"schedulingGates":[]}}',
    '{"metadata":{"finalizers":[]}}',
  ]) {
    await refused(['patch', 'pod', pod, '--type=merge', '-p', patch]);
  }
  kueue.isHolding = false;
  await becomes(place, 'one', 'Succeeded');
});

test('without the kinds of Kueue, those who wait go back to the queue and start without it', async (t) => {
  const { kueue, cluster } = t.context;
  const place = await world(t, 'bereft');
  kueue.isHolding = true;
  await place.user.applies(run(place.namespace, 'left', FOREVER));
  await waits(place, 'left', 'WaitingForCapacity');
  await kueue.stop();
  await KueueStandIn.uninstall(cluster);
  t.is(await operator?.ended(), 0, 'the operator ends in order, to start anew');
  operator = await startOperator(cluster, { env: CHECK_MS });
  const found = await becomes(place, 'left', 'Running');
  t.is(found.status?.attempt, 2);
});

test('where Kueue is required nothing starts without it, and goes on when it comes', async (t) => {
  const { cluster } = t.context;
  const place = await world(t, 'exacting');
  const required = { ...CHECK_MS, NEXUSOS_KUEUE: 'Required' };
  await operator?.stop();
  operator = await startOperator(cluster, { env: required });
  await place.user.applies(run(place.namespace, 'patient'));
  t.regex(await waits(place, 'patient', 'KueueMissing'), /does not serve the kinds of Kueue/);
  await KueueStandIn.install(cluster);
  t.is(await operator.ended(), 0);
  const kueue = await KueueStandIn.start(cluster);
  operator = await startOperator(cluster, { env: required });
  t.is((await becomes(place, 'patient', 'Succeeded')).status?.attempt, 1);
  await kueue.stop();
});
