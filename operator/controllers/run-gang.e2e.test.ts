// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import { LABELS } from '#crds/v1alpha1/names';
import type { MeteredAttempt } from '#crds/v1alpha1/run-usage';
import { eventually } from '#hack/tools/eventually';
import type { KubeObject } from '../core/object.ts';
import type { Run } from '../core/run/run.ts';
import { RUNS } from '../core/resources.ts';
import { PODS } from './shared/workloads.ts';
import {
  attachWorkloadRig,
  becomes,
  createRun,
  listAll,
  makeAgent,
  makeTenant,
  reservationsOf,
  runOf,
  type WorkloadRig,
} from './testing/workload-rig.ts';

const test = anyTest as TestFn<WorkloadRig>;

const TENANT = 'orchestra';
const NAMESPACE = 'orchestra-x';
const LONG = { annotations: { 'kwok.nexusos.dev/duration': '600s' } };

test.before(async (t) => {
  const rig = await attachWorkloadRig();
  t.context = rig;
  await makeTenant(rig, TENANT, { namespaces: [{ suffix: 'x' }], quotas: { runs: { maxConcurrent: 20 } } });
  await makeAgent(
    rig,
    { namespace: NAMESPACE, name: 'trio' },
    { gang: { pods: 3, startTimeoutSeconds: 300 } },
  );
});
test.after.always((t) => t.context?.close());

interface Key {
  readonly namespace: string;
  readonly name: string;
}

interface PodView {
  readonly metadata: KubeObject['metadata'];
  readonly spec: {
    readonly hostname?: string;
    readonly subdomain?: string;
    readonly nodeName?: string;
    readonly containers: readonly {
      readonly env: readonly { readonly name: string; readonly value?: string }[];
    }[];
  };
  readonly status?: { readonly phase?: string };
}

/** A Run of the trio that goes on until it is told otherwise, all pods of which run. */
async function playing(rig: WorkloadRig, name: string, spec: object = {}): Promise<Key> {
  const key = { namespace: NAMESPACE, name };
  await createRun(rig, key, { agent: 'trio', ...LONG, spec: { ...spec } });
  await becomes(rig, key, { phase: 'Running' });
  return key;
}

async function cancels(rig: WorkloadRig, key: Key): Promise<void> {
  await rig.client.patch(RUNS, key, { body: { spec: { cancel: true } } });
}

/** The pods of a Run, by index. */
async function podsOf(rig: WorkloadRig, { namespace, name }: Key): Promise<readonly PodView[]> {
  const found = await listAll(rig, PODS, { namespace, labelSelector: `${LABELS.run}=${name}` });
  return found.toSorted((a, b) =>
    a.metadata.name < b.metadata.name ? -1 : 1,
  ) as unknown as readonly PodView[];
}

/** Those of them that run. */
async function livePods(rig: WorkloadRig, key: Key): Promise<readonly PodView[]> {
  return (await podsOf(rig, key)).filter((pod) => pod.status?.phase === 'Running');
}

/** Has the container of a pod end, as a kubelet would say it. */
async function ends(
  rig: WorkloadRig,
  { namespace, name }: Key,
  { index, exitCode }: { readonly index: number; readonly exitCode: number },
): Promise<void> {
  const pod = (await podsOf(rig, { namespace, name })).find(
    ({ metadata }) => metadata.labels?.[LABELS.index] === String(index),
  );
  if (pod === undefined) throw new Error(`${name} has no pod ${index}`);
  const at = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const terminated = { exitCode, startedAt: pod.metadata.creationTimestamp, finishedAt: at, reason: 'Error' };
  const status = {
    phase: exitCode === 0 ? 'Succeeded' : 'Failed',
    containerStatuses: [
      { name: 'agent', image: 'x', imageID: '', ready: false, restartCount: 0, state: { terminated } },
    ],
  };
  const patch = JSON.stringify({ status });
  const done = await rig.cluster.kubectl([
    'patch',
    'pod',
    pod.metadata.name,
    '-n',
    namespace,
    '--subresource=status',
    '--type=strategic',
    '-p',
    patch,
  ]);
  if (done.code !== 0) throw new Error(done.stderr);
}

async function gangOf(rig: WorkloadRig, key: Key) {
  return (await runOf(rig, key))?.status?.gang;
}

function variables(pod: PodView): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries((pod.spec.containers[0]?.env ?? []).map(({ name, value }) => [name, value]));
}

/** Seconds that containers of an attempt ran, all together, by what it says of each. */
function secondsOf(attempt: MeteredAttempt): number {
  const spans = attempt.pods.map((one) => Date.parse(one.finishedAt) - Date.parse(one.startedAt));
  return spans.reduce((sum, one) => sum + one, 0) / 1000;
}

test('all pods are made, and know their place and the address of the first', async (t) => {
  const rig = t.context;
  const key = await playing(rig, 'together');
  const child = (await runOf(rig, key))?.status?.child?.name;
  const pods = await podsOf(rig, key);
  const names = [0, 1, 2].map((index) => `${child}-${index}`);
  t.deepEqual(
    pods.map(({ metadata }) => metadata.name),
    names,
  );
  const service = pods[0]!.spec.subdomain!;
  for (const [index, pod] of pods.entries()) {
    t.like(pod.spec, { hostname: names[index]!, subdomain: service });
    t.like(variables(pod), {
      NEXUSOS_INDEX: String(index),
      NEXUSOS_WORKERS: '3',
      NEXUSOS_LEADER: `${names[0]}.${service}.${NAMESPACE}.svc`,
    });
  }
  const found = await rig.cluster.kubectl(['get', 'service', service, '-n', NAMESPACE, '-o', 'json']);
  const uid = pods[0]!.metadata.labels?.[LABELS.runUid];
  const spec = { clusterIP: 'None', publishNotReadyAddresses: true, selector: { [LABELS.runUid]: uid } };
  t.like(JSON.parse(found.stdout), { spec });
  await cancels(rig, key);
});

test('the Run succeeds when all pods have, says what the first says, and is charged for all', async (t) => {
  const rig = t.context;
  const key = { namespace: NAMESPACE, name: 'all-succeed' };
  const message = '{"output":"done","usage":{"toolCalls":2}}';
  await createRun(rig, key, {
    agent: 'trio',
    annotations: { 'kwok.nexusos.dev/termination-message': message },
  });
  const { status } = await becomes(rig, key, { phase: 'Succeeded' });
  t.like(status?.gang, { pods: 3, running: 0, succeeded: 3 });
  t.is(status?.result?.output, 'done');
  t.is(status?.usage?.reported?.toolCalls, 6, 'what each of them reports');
  const { attempts, total } = status!.usage!;
  const attempt = attempts![0]!;
  t.is(attempt.pods.length, 3);
  t.is(new Set(attempt.pods.map(({ uid }) => uid)).size, 3);
  t.is(Number(total!.cpuSeconds) * 10, secondsOf(attempt), 'a tenth of a core for each');
});

test('when one pod fails the others are ended, and the Run fails with its code and index', async (t) => {
  const rig = t.context;
  const key = await playing(rig, 'one-fails');
  await eventually('all are counted', async () => (await gangOf(rig, key))?.running === 3);
  await ends(rig, key, { index: 1, exitCode: 42 });
  const { status } = await becomes(rig, key, { phase: 'Failed', reason: 'ContainerFailed' });
  t.like(status?.error, { exitCode: 42, index: 1 });
  t.regex(status?.error?.message ?? '', /^pod 1: the container ended with exit code 42/);
  t.deepEqual(await livePods(rig, key), []);
  t.is(status?.usage?.attempts?.[0]?.pods.length, 3, 'who was ended is charged for as well');
});

test('when one pod is evicted all are ended, and the Run goes back to the queue and spends no retry', async (t) => {
  const rig = t.context;
  const key = await playing(rig, 'one-evicted', { retries: { limit: 1 } });
  const before = new Set((await podsOf(rig, key)).map(({ metadata }) => metadata.uid));
  const [, second] = await podsOf(rig, key);
  const eviction = {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name: second!.metadata.name, namespace: NAMESPACE },
  };
  await rig.cluster.admin.create(
    `/api/v1/namespaces/${NAMESPACE}/pods/${second!.metadata.name}/eviction`,
    eviction,
  );
  await eventually('it runs once more', async () => {
    const { status } = (await runOf(rig, key)) as Run;
    return status?.attempt === 2 && status.phase === 'Running';
  });
  const { status } = (await runOf(rig, key)) as Run;
  t.is(status?.retries?.spent, 0);
  t.is(status?.usage?.attempts?.[0]?.pods.length, 3);
  const running = await livePods(rig, key);
  t.is(running.length, 3);
  t.false(
    running.some(({ metadata }) => before.has(metadata.uid)),
    'no pod of the first attempt goes on',
  );
});

test('when the node of one pod is lost, all are ended and begin anew', async (t) => {
  const rig = t.context;
  const key = await playing(rig, 'node-lost');
  const [, , third] = await podsOf(rig, key);
  // As pod garbage collection says it of a pod whose node is gone, before it deletes the pod.
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'DeletionByPodGC',
    message: 'node is gone',
  };
  const conditions = [{ ...condition, lastTransitionTime: new Date().toISOString() }];
  const patch = JSON.stringify({ status: { phase: 'Failed', conditions } });
  const args = ['-n', NAMESPACE, '--subresource=status', '--type=strategic', '-p', patch];
  const done = await rig.cluster.kubectl(['patch', 'pod', third!.metadata.name, ...args]);
  t.is(done.code, 0, done.stderr);
  await eventually('it runs once more', async () => {
    const status = (await runOf(rig, key))?.status;
    return status?.attempt === 2 && status.phase === 'Running';
  });
  t.is((await livePods(rig, key)).length, 3);
  await cancels(rig, key);
});

test('a gang makes room, with all its pods, and has room made for it', async (t) => {
  const rig = t.context;
  const runs = { maxConcurrent: 1, preemption: 'LowerPriority' as const };
  await makeTenant(rig, 'ensemble', { namespaces: [{ suffix: 'x' }], quotas: { runs } });
  const namespace = 'ensemble-x';
  await makeAgent(rig, { namespace, name: 'duo' }, { gang: { pods: 2, startTimeoutSeconds: 300 } });
  await makeAgent(rig, { namespace, name: 'agent' });
  const [low, middle, high] = ['low', 'middle', 'high'].map((name) => ({ namespace, name })) as [
    Key,
    Key,
    Key,
  ];
  await createRun(rig, low, { agent: 'duo', ...LONG });
  await becomes(rig, low, { phase: 'Running' });
  await createRun(rig, middle, { ...LONG, spec: { priority: 10 } });
  await becomes(rig, middle, { phase: 'Running' });
  t.is((await becomes(rig, low, { phase: 'Queued' })).status?.preemptions, 1);
  t.deepEqual(await livePods(rig, low), []);
  await createRun(rig, high, { agent: 'duo', ...LONG, spec: { priority: 20 } });
  await becomes(rig, high, { phase: 'Running' });
  t.is((await becomes(rig, middle, { phase: 'Queued' })).status?.preemptions, 1);
  t.is((await livePods(rig, high)).length, 2);
  for (const key of [low, middle, high]) await cancels(rig, key);
});

test('cancelling, suspending and a timeout end all pods', async (t) => {
  const rig = t.context;
  const key = await playing(rig, 'cancelled');
  await cancels(rig, key);
  await becomes(rig, key, { phase: 'Cancelled' });
  t.deepEqual(await livePods(rig, key), []);

  const paused = await playing(rig, 'paused');
  await rig.client.patch(RUNS, paused, { body: { spec: { suspend: true } } });
  await becomes(rig, paused, { phase: 'Queued', reason: 'Suspended' });
  t.deepEqual(await livePods(rig, paused), []);
  await eventually(
    'its place is given back',
    async () => !(await reservationsOf(rig, TENANT)).includes('paused'),
  );
  await rig.client.patch(RUNS, paused, { body: { spec: { suspend: false } } });
  await becomes(rig, paused, { phase: 'Running' });
  await cancels(rig, paused);

  const late = await playing(rig, 'late', { timeoutSeconds: 3 });
  const { status } = await becomes(rig, late, { phase: 'Failed', reason: 'TimedOut' });
  t.is(status?.error?.code, 'timeout');
  t.deepEqual(await livePods(rig, late), []);
});

test('a dry run tells what all pods would take', async (t) => {
  const rig = t.context;
  const key = { namespace: NAMESPACE, name: 'asks' };
  await createRun(rig, key, { agent: 'trio', spec: { dryRun: true } });
  const { status } = await becomes(rig, key, { phase: 'Succeeded', reason: 'DryRun' });
  t.like(status?.dryRun, { phase: 'Admitted', pods: 3 });
  const made = status?.dryRun?.creates ?? [];
  t.deepEqual(
    made.map(({ kind, count }) => [kind, count]),
    [
      ['Service', undefined],
      ['Pod', 3],
    ],
  );
});
