// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import { LABELS } from '#crds/v1alpha1/names';
import { isDeepEqual } from '../core/compare.ts';
import type { KubeObject } from '../core/object.ts';
import { childName, isFinished } from '../core/run/run.ts';
import { deletePodByForce } from '#hack/system/delete-by-force';
import { eventually } from '#hack/tools/eventually';
import { LIMIT_RANGES, RUNS, TENANTS } from '../core/resources.ts';
import { PODS } from './shared/workloads.ts';
import {
  becomes,
  createRun,
  listAll,
  makeAgent,
  makeTenant,
  reservationsOf,
  runOf,
  attachWorkloadRig,
  type WorkloadRig,
} from './testing/workload-rig.ts';

const test = anyTest.serial as TestFn<WorkloadRig>;
const DURATION = 'kwok.nexusos.dev/duration';
const OUTCOME = 'kwok.nexusos.dev/outcome';
const FOREVER = { [DURATION]: '600s' };
const END_DURATION = 'kwok.nexusos.dev/end-duration';
/** Its container goes on when it is told to end, until it is let end. */
const LINGERS = { ...FOREVER, [END_DURATION]: '1h' };
const namespace = 'acme-prod';

test.before(async (t) => {
  const rig = await attachWorkloadRig();
  t.context = rig;
  await makeDraClass(rig);
  await makeTenant(rig, 'acme', {
    namespaces: [{ suffix: 'prod' }],
    quotas: {
      compute: { 'requests.cpu': '64', 'requests.memory': '64Gi' },
      gpus: [
        { class: 'h100', count: 8 },
        { class: 'a100-3g', count: 4 },
        { class: 'l4', count: 4 },
        { class: 'h100-dra', count: 4 },
      ],
      runs: { maxConcurrent: 5 },
    },
  });
  await makeAgent(rig, { namespace, name: 'agent' });
  await makePickyTenant(rig);
});
test.after.always((t) => t.context.close());

/**
 * A namespace in which no pod of a Run is let in, and two Runs that want its only place. Made before all else, since it
 * takes a minute until the first of them is given up.
 */
async function makePickyTenant(rig: WorkloadRig): Promise<void> {
  await makeTenant(rig, 'picky', {
    namespaces: [{ suffix: 'main' }],
    quotas: { runs: { maxConcurrent: 1 } },
  });
  const place = { namespace: 'picky-main' };
  const limits = [{ type: 'Container', min: { memory: '1Gi' } }];
  const metadata = { ...place, name: 'tight' };
  const range = { apiVersion: 'v1', kind: 'LimitRange', metadata, spec: { limits } };
  await rig.client.create(LIMIT_RANGES, range, 'test');
  await makeAgent(rig, { ...place, name: 'agent' });
  await createRun(rig, { ...place, name: 'first' }, { spec: { priority: 1 } });
  await becomes(rig, { ...place, name: 'first' }, { phase: 'Admitted', reason: 'WorkloadRefused' });
  await createRun(rig, { ...place, name: 'second' });
}

async function podsOf(rig: WorkloadRig, run: string): Promise<readonly KubeObject[]> {
  return listAll(rig, PODS, { namespace, labelSelector: `${LABELS.run}=${run}` });
}

/** Pods are let go a moment after what they came to is written. */
async function areGone(rig: WorkloadRig, run: string): Promise<void> {
  await eventually(`all pods of ${run} are gone`, async () => (await podsOf(rig, run)).length === 0);
}

async function cancel(rig: WorkloadRig, name: string): Promise<void> {
  await rig.client.patch(RUNS, { namespace, name }, { body: { spec: { cancel: true } } });
}

for (const [gpuClass, pool] of Object.entries({
  h100: /^h100-\d/,
  'a100-3g': /^a100-mig-/,
  l4: /^l4-/,
  'h100-dra': /^h100-dra-/,
})) {
  test(`a Run on GPU class ${gpuClass} runs on nodes of its pool, to its end`, async (t) => {
    const rig = t.context;
    const name = `on-${gpuClass}`;
    await makeAgent(rig, { namespace, name }, { gpu: { class: gpuClass, count: 2 } });
    await createRun(rig, { namespace, name }, { agent: name });
    const run = await becomes(rig, { namespace, name }, { phase: 'Succeeded' });
    t.deepEqual(run.status?.gpu, { class: gpuClass, count: 2 });
    const [pod] = await podsOf(rig, name);
    t.regex((pod!['spec'] as { nodeName: string }).nodeName, pool);
    t.is(pod?.metadata.labels?.[LABELS.gpuClass], gpuClass);
  });
}

async function makeDraClass(rig: WorkloadRig): Promise<void> {
  const spec = {
    deviceClassName: 'gpu.nvidia.com',
    tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' }],
  };
  const stdin = JSON.stringify({
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'GPUClass',
    metadata: { name: 'h100-dra' },
    spec,
  });
  const applied = await rig.cluster.kubectl(['apply', '-f', '-'], { stdin });
  if (applied.code !== 0) throw new Error(applied.stderr);
}

const ends: Record<string, { annotations: Record<string, string>; reason: string; error: object }> = {
  'an exit code': {
    annotations: { [OUTCOME]: 'exit-code', 'kwok.nexusos.dev/exit-code': '3' },
    reason: 'ContainerFailed',
    error: { code: 'internal_error', retryable: false, exitCode: 3 },
  },
  'too much memory': {
    annotations: { [OUTCOME]: 'oom' },
    reason: 'OutOfMemory',
    error: { code: 'quota_exceeded', retryable: false, exitCode: 137 },
  },
  'its timeout': {
    annotations: FOREVER,
    reason: 'TimedOut',
    error: { code: 'timeout', retryable: true },
  },
};

for (const [what, { annotations, reason, error }] of Object.entries(ends)) {
  test(`a Run that ends with ${what} is Failed, and says why`, async (t) => {
    const name = `ends-${reason.toLowerCase()}`;
    const spec = reason === 'TimedOut' ? { timeoutSeconds: 2 } : {};
    await createRun(t.context, { namespace, name }, { annotations, spec });
    const run = await becomes(t.context, { namespace, name }, { phase: 'Failed', reason });
    t.like(run.status?.error, error);
    await eventually(
      'its quota is given back',
      async () => !(await reservationsOf(t.context, 'acme')).includes(name),
    );
  });
}

/** Has what lingers, a pod or the next attempts of a Run, take no time to end from now on. */
function letsEnd(rig: WorkloadRig, resource: typeof PODS, name: string): Promise<unknown> {
  const body = { metadata: { annotations: { [END_DURATION]: null } } };
  return rig.client.patch(resource, { namespace, name }, { body });
}

function evict(rig: WorkloadRig, { metadata: { name } }: KubeObject): Promise<unknown> {
  return rig.client.raw({
    verb: 'create',
    path: `/api/v1/namespaces/${namespace}/pods/${name}/eviction`,
    body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } },
  });
}

test('a Run whose pod is evicted goes back to the queue, starts anew and spends no retry', async (t) => {
  const rig = t.context;
  const name = 'evicted';
  const spec = { retries: { limit: 1 } };
  await createRun(rig, { namespace, name }, { annotations: LINGERS, spec });
  await becomes(rig, { namespace, name }, { phase: 'Running', reason: 'Running' });
  const [first] = await podsOf(rig, name);
  await letsEnd(rig, RUNS, name);
  await evict(rig, first!);
  const told = await becomes(rig, { namespace, name }, { phase: 'Running', reason: 'NodeLost' });
  t.is(told.status?.attempt, 1, 'it is told before its pod has ended');
  await letsEnd(rig, PODS, first!.metadata.name);
  const { status } = await becomes(rig, { namespace, name }, { phase: 'Running', reason: 'Running' });
  t.like(status, { attempt: 2, retries: { spent: 0, limit: 1 } });
  t.like(status?.usage?.attempts, [
    { attempt: 1, pods: [{ uid: first!.metadata.uid!, basis: 'ContainerStatus' }] },
  ]);
  await eventually('the first is let go', async () => {
    const names = (await podsOf(rig, name)).map(({ metadata }) => metadata.name);
    return isDeepEqual(names, [status?.child?.name]);
  });
  await cancel(rig, name);
  await becomes(rig, { namespace, name }, { phase: 'Cancelled' });
});

test('a Run whose node is lost is tried anew, and is still under way', async (t) => {
  const rig = t.context;
  const name = 'lost';
  await createRun(rig, { namespace, name }, { annotations: { [OUTCOME]: 'node-lost', [DURATION]: '2s' } });
  await eventually('a second pod is made', async () => (await podsOf(rig, name)).length > 1);
  t.false(isFinished((await runOf(rig, { namespace, name }))!));
  await cancel(rig, name);
  await becomes(rig, { namespace, name }, { phase: 'Cancelled' });
});

test('cancel ends a Run in each phase, and nothing of it is left', async (t) => {
  const rig = t.context;
  const unschedulable = {
    container: {
      image: 'registry.example.com/agent:1',
      resources: { requests: { cpu: '60', memory: '1Gi' } },
    },
  };
  await makeAgent(rig, { namespace, name: 'huge' }, unschedulable);
  await createRun(rig, { namespace, name: 'c-admitted' }, { agent: 'huge' });
  await becomes(rig, { namespace, name: 'c-admitted' }, { phase: 'Admitted', reason: 'Starting' });
  await createRun(rig, { namespace, name: 'c-queued' }, { agent: 'huge' });
  const queued = await becomes(
    rig,
    { namespace, name: 'c-queued' },
    { phase: 'Queued', reason: 'ComputeQuotaExceeded' },
  );
  t.is(queued.status?.queue?.position, 1);
  await createRun(rig, { namespace, name: 'c-running' }, { annotations: FOREVER });
  await becomes(rig, { namespace, name: 'c-queued' }, { phase: 'Queued' });
  await cancel(rig, 'c-queued');
  await becomes(rig, { namespace, name: 'c-queued' }, { phase: 'Cancelled' });
  await becomes(rig, { namespace, name: 'c-running' }, { phase: 'Running' });
  for (const name of ['c-admitted', 'c-running']) {
    await cancel(rig, name);
    await becomes(rig, { namespace, name }, { phase: 'Cancelled' });
    await areGone(rig, name);
  }
  await eventually('all quota is given back', async () => (await reservationsOf(rig, 'acme')).length === 0);
});

test('a Run that is deleted while it runs gives its quota back, and its pod is gone', async (t) => {
  const rig = t.context;
  const key = { namespace, name: 'deleted' };
  await createRun(rig, key, { annotations: FOREVER });
  await becomes(rig, key, { phase: 'Running' });
  t.deepEqual(await reservationsOf(rig, 'acme'), ['deleted']);
  await rig.client.delete(RUNS, key);
  await eventually('its quota is given back', async () => (await reservationsOf(rig, 'acme')).length === 0);
  await areGone(rig, 'deleted');
  t.pass();
});

test('a pod that somebody deletes keeps its place until it has ended, and then ends its Run', async (t) => {
  const rig = t.context;
  const key = { namespace, name: 'robbed' };
  await createRun(rig, key, { annotations: LINGERS });
  const { status } = await becomes(rig, key, { phase: 'Running' });
  const pod = { namespace, name: status?.child?.name ?? '' };
  await rig.client.delete(PODS, pod);
  // Another Run goes all the way meanwhile, so the operator has had its time.
  await createRun(rig, { namespace, name: 'meanwhile' });
  await becomes(rig, { namespace, name: 'meanwhile' }, { phase: 'Succeeded' });
  t.false(isFinished((await runOf(rig, key))!));
  t.true((await reservationsOf(rig, 'acme')).includes('robbed'));
  await letsEnd(rig, PODS, pod.name);
  const run = await becomes(rig, key, { phase: 'Failed', reason: 'WorkloadDeleted' });
  t.is(run.status?.error?.code, 'conflict');
  t.like(run.status?.usage?.attempts, [{ pods: [{ basis: 'ContainerStatus' }] }], 'its end was seen');
  await areGone(rig, 'robbed');
});

test('a pod that is deleted by force ends its Run at once', async (t) => {
  const rig = t.context;
  const key = { namespace, name: 'forced' };
  await createRun(rig, key, { annotations: LINGERS });
  const { status } = await becomes(rig, key, { phase: 'Running' });
  await deletePodByForce(rig.cluster, { namespace, name: status?.child?.name ?? '' });
  await becomes(rig, key, { phase: 'Failed', reason: 'WorkloadDeleted' });
  await areGone(rig, 'forced');
  t.pass();
});

test('a Run whose workload cannot be made says why, and gives its place to the next', async (t) => {
  const rig = t.context;
  const limit = (maxConcurrent: number) =>
    rig.client.patch(TENANTS, { name: 'squat' }, { body: { spec: { quotas: { runs: { maxConcurrent } } } } });
  await makeTenant(rig, 'squat', {
    namespaces: [{ suffix: 'main' }],
    quotas: { runs: { maxConcurrent: 0 } },
  });
  const place = { namespace: 'squat-main' };
  await makeAgent(rig, { ...place, name: 'agent' });
  const { metadata } = await createRun(rig, { ...place, name: 'first' });
  await createRun(rig, { ...place, name: 'second' });
  await becomes(rig, { ...place, name: 'second' }, { phase: 'Queued', reason: 'ConcurrencyExceeded' });
  const name = childName({ name: 'first', uid: metadata.uid ?? '' }, 1);
  const rights = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
  const container = { name: 'x', image: 'x', imagePullPolicy: 'Always', securityContext: rights };
  const securityContext = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } };
  const spec = { restartPolicy: 'Never', securityContext, containers: [container] };
  const squatter = { apiVersion: 'v1', kind: 'Pod', metadata: { ...place, name }, spec };
  await rig.client.create(PODS, squatter, 'test');
  await limit(1);
  const run = await becomes(rig, { ...place, name: 'first' }, { phase: 'Failed', reason: 'WorkloadRefused' });
  t.is(run.status?.error?.code, 'conflict');
  t.regex(run.status?.error?.message ?? '', new RegExp(`Pod squat-main/${name} exists`));
  await becomes(rig, { ...place, name: 'second' }, { phase: 'Succeeded' });
});

test('a suspended tenant pauses its Runs, and they start again when it is resumed', async (t) => {
  const rig = t.context;
  const key = { namespace, name: 'paused' };
  await createRun(rig, key, { annotations: FOREVER });
  await becomes(rig, key, { phase: 'Running' });
  const suspend = (suspended: boolean) =>
    rig.client.patch(TENANTS, { name: 'acme' }, { body: { spec: { suspended, suspendPolicy: 'Pause' } } });
  await suspend(true);
  await becomes(rig, key, { phase: 'Queued' });
  await areGone(rig, 'paused');
  await eventually('its quota is given back', async () => (await reservationsOf(rig, 'acme')).length === 0);
  await suspend(false);
  const run = await becomes(rig, key, { phase: 'Running' });
  t.is(run.status?.attempt, 2, JSON.stringify(run.status));
  await cancel(rig, 'paused');
  await becomes(rig, key, { phase: 'Cancelled' });
});

test('a finished Run is deleted after its time', async (t) => {
  const rig = t.context;
  const key = { namespace, name: 'short-lived' };
  await createRun(rig, key, { spec: { ttlSecondsAfterFinished: 1 } });
  await eventually('it is gone', async () => (await runOf(rig, key)) === undefined);
  t.is(await runOf(rig, key), undefined);
});

test('a Run whose pods are refused for a minute fails, says why, and gives its place to the next', async (t) => {
  const place = { namespace: 'picky-main' };
  const refused = { phase: 'Failed', reason: 'WorkloadRefused' } as const;
  const { status } = await becomes(t.context, { ...place, name: 'first' }, refused);
  t.like(status?.error, { code: 'forbidden', retryable: false });
  t.regex(
    status?.error?.message ?? '',
    /given up after 60 seconds: .*minimum memory usage per Container is 1Gi/,
  );
  // How far that one has come, or whether it was given up as well, is a matter of how long the tests before took.
  const second = await eventually('the second has got its place', async () => {
    const run = await runOf(t.context, { ...place, name: 'second' });
    return run?.status?.admittedAt === undefined ? undefined : run.status;
  });
  t.true((second.admittedAt ?? '') >= (status?.finishedAt ?? ''), 'one at a time');
  t.false((await reservationsOf(t.context, 'picky')).includes('first'));
});
