// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { attachCluster } from './attach.ts';
import type { AttachedCluster } from './attached-cluster.ts';
import { eventually } from '../tools/eventually.ts';

interface Pod {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly phase: string;
    readonly reason?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
    }[];
    readonly containerStatuses?: readonly {
      readonly state: { readonly terminated?: { readonly exitCode: number; readonly reason: string } };
    }[];
  };
}

const namespace = `kwok-${process.pid}`;
let cluster: AttachedCluster;

test.before(async () => {
  cluster = await attachCluster();
  await cluster.admin.create('/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace },
  });
});

test.after.always(async () => {
  await cluster?.admin.send('DELETE', `/api/v1/namespaces/${namespace}`);
});

const podTemplate = (annotations: Record<string, string>, spec: object = {}): object => ({
  metadata: { annotations },
  spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'example.test/agent:1' }], ...spec },
});

async function createJob(name: string, template: object, spec: object = {}): Promise<void> {
  await cluster.admin.create(`/apis/batch/v1/namespaces/${namespace}/jobs`, {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name },
    spec: { backoffLimit: 0, template, ...spec },
  });
}

async function createPod(name: string, template: object): Promise<void> {
  const metadata = { ...(template as Pod).metadata, name };
  await cluster.admin.create(`/api/v1/namespaces/${namespace}/pods`, {
    apiVersion: 'v1',
    kind: 'Pod',
    ...template,
    metadata,
  });
}

async function readPods(selector: string): Promise<readonly Pod[]> {
  const query = `?labelSelector=${encodeURIComponent(selector)}`;
  const list = await cluster.admin.get(`/api/v1/namespaces/${namespace}/pods${query}`);
  return (list as unknown as { readonly items: readonly Pod[] }).items;
}

async function readPod(name: string): Promise<Pod | undefined> {
  return (await cluster.admin.get(`/api/v1/namespaces/${namespace}/pods/${name}`)) as Pod | undefined;
}

async function jobCondition(name: string): Promise<string | undefined> {
  const job = (await cluster.admin.get(`/apis/batch/v1/namespaces/${namespace}/jobs/${name}`)) as
    | Pod
    | undefined;
  return job?.status.conditions?.find(
    ({ type, status }) => status === 'True' && (type === 'Complete' || type === 'Failed'),
  )?.type;
}

const outcomes = {
  'a pod that says nothing succeeds': {
    annotations: {},
    want: { job: 'Complete', phase: 'Succeeded', exitCode: 0, containerReason: 'Completed' },
  },
  'an exit code fails the pod with that code': {
    annotations: { 'kwok.nexusos.dev/outcome': 'exit-code', 'kwok.nexusos.dev/exit-code': '42' },
    want: { job: 'Failed', phase: 'Failed', exitCode: 42, containerReason: 'Error' },
  },
  'an exit code that is not told is 1': {
    annotations: { 'kwok.nexusos.dev/outcome': 'exit-code' },
    want: { job: 'Failed', phase: 'Failed', exitCode: 1, containerReason: 'Error' },
  },
  'out of memory is 137 and OOMKilled': {
    annotations: { 'kwok.nexusos.dev/outcome': 'oom' },
    want: { job: 'Failed', phase: 'Failed', exitCode: 137, containerReason: 'OOMKilled' },
  },
  'an evicted pod is a disruption by the kubelet': {
    annotations: { 'kwok.nexusos.dev/outcome': 'evicted' },
    want: {
      job: 'Failed',
      phase: 'Failed',
      reason: 'Evicted',
      exitCode: 137,
      containerReason: 'Error',
      disruption: 'TerminationByKubelet',
    },
  },
  'a lost node is a disruption, and nobody reports what became of the container': {
    annotations: { 'kwok.nexusos.dev/outcome': 'node-lost' },
    want: { job: 'Failed', phase: 'Failed', reason: 'NodeLost', disruption: 'DeletionByPodGC' },
  },
  'a misspelt outcome says so': {
    annotations: { 'kwok.nexusos.dev/outcome': 'succes' },
    want: { job: 'Failed', phase: 'Failed', reason: 'UnknownOutcome', exitCode: 1, containerReason: 'Error' },
  },
};

/** How a pod ended, as far as its status tells. */
function endOf(pod: Pod | undefined): object {
  const { phase, reason, conditions = [], containerStatuses = [] } = pod!.status;
  const terminated = containerStatuses[0]?.state.terminated;
  return {
    phase,
    reason,
    exitCode: terminated?.exitCode,
    containerReason: terminated?.reason,
    disruption: conditions.find(({ type, status }) => type === 'DisruptionTarget' && status === 'True')
      ?.reason,
  };
}

const unsaid = {
  reason: undefined,
  exitCode: undefined,
  containerReason: undefined,
  disruption: undefined,
};

for (const [index, [title, { annotations, want }]] of Object.entries(outcomes).entries()) {
  test(`outcome: ${title}`, async (t) => {
    const name = `outcome-${index}`;
    await createJob(name, podTemplate({ 'kwok.nexusos.dev/duration': '200ms', ...annotations }));
    const job = await eventually(`job ${name} ends`, () => jobCondition(name));
    const [pod] = await readPods(`job-name=${name}`);
    t.deepEqual({ job, ...endOf(pod) }, { ...unsaid, ...want });
    t.is(pod?.status.conditions?.find(({ type }) => type === 'Ready')?.status, 'False');
  });
}

test('a failure policy of a Job can tell a disruption from a failure', async (t) => {
  const podFailurePolicy = {
    rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }],
  };
  const annotations = { 'kwok.nexusos.dev/outcome': 'node-lost', 'kwok.nexusos.dev/duration': '100ms' };
  await createJob('ignored-disruption', podTemplate(annotations), { podFailurePolicy });
  // With backoffLimit 0 a second pod can only come if the first did not count as failed.
  const pods = await eventually('a second pod', async () => {
    const found = await readPods('job-name=ignored-disruption');
    return found.length > 1 ? found : undefined;
  });
  t.true(pods.length > 1);
  t.is(await jobCondition('ignored-disruption'), undefined);
  await cluster.admin.send(
    'DELETE',
    `/apis/batch/v1/namespaces/${namespace}/jobs/ignored-disruption?propagationPolicy=Background`,
  );
});

test('a pod without a Job runs on, and one with a duration ends', async (t) => {
  await createPod('runs-on', podTemplate({}));
  await createPod('ends', podTemplate({ 'kwok.nexusos.dev/duration': '1500ms' }));
  await eventually(
    'the one with a duration ends',
    async () => (await readPod('ends'))?.status.phase === 'Succeeded',
  );
  t.is((await readPod('runs-on'))?.status.phase, 'Running');
});

test('a running pod that is deleted takes as long to end as it says', async (t) => {
  await createPod('lingers', podTemplate({ 'kwok.nexusos.dev/end-duration': '3s' }));
  await eventually('it runs', async () => (await readPod('lingers'))?.status.phase === 'Running');
  const deletedAt = performance.now();
  await cluster.admin.send('DELETE', `/api/v1/namespaces/${namespace}/pods/lingers`);
  await eventually('it is gone', async () => (await readPod('lingers')) === undefined);
  const tookMs = performance.now() - deletedAt;
  t.true(tookMs >= 2900, `${tookMs} ms`);
});

test('a running pod that is deleted first ends with 143, as a Job must see it', async (t) => {
  const finalizers = ['test.nexusos.dev/hold'];
  const template = podTemplate({}) as Pod;
  await createPod('deleted', { ...template, metadata: { ...template.metadata, finalizers } });
  await eventually('it runs', async () => (await readPod('deleted'))?.status.phase === 'Running');
  await cluster.admin.send('DELETE', `/api/v1/namespaces/${namespace}/pods/deleted`);
  const pod = await eventually('it has ended', async () => {
    const found = await readPod('deleted');
    return found?.status.phase === 'Failed' ? found : undefined;
  });
  t.is(pod.status.containerStatuses?.[0]?.state.terminated?.exitCode, 143);
  const release = ['patch', 'pod', 'deleted', '-n', namespace, '-p', '{"metadata":{"finalizers":null}}'];
  t.is((await cluster.kubectl(release)).code, 0);
  await eventually('it is gone', async () => (await readPod('deleted')) === undefined);
});

const gpuToleration = { key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' };

const placements = {
  'a pod without a toleration stays off the GPU nodes': {
    spec: {},
    want: /^cpu-/,
  },
  'whole H100 cards by product': {
    spec: {
      tolerations: [gpuToleration],
      nodeSelector: { 'nvidia.com/gpu.product': 'NVIDIA-H100-80GB-HBM3' },
      resource: 'nvidia.com/gpu',
    },
    want: /^h100-\d$/,
  },
  'a MIG slice by its resource alone': {
    spec: { tolerations: [gpuToleration], resource: 'nvidia.com/mig-3g.20gb' },
    want: /^a100-mig-/,
  },
  'L4 cards by pool': {
    spec: {
      tolerations: [gpuToleration],
      nodeSelector: { 'nexusos.dev/node-pool': 'l4' },
      resource: 'nvidia.com/gpu',
    },
    want: /^l4-/,
  },
};

for (const [index, [title, { spec, want }]] of Object.entries(placements).entries()) {
  test(`placement: ${title}`, async (t) => {
    const { resource, ...rest } = { resource: undefined, ...spec };
    const limits = resource === undefined ? {} : { [resource]: '1' };
    const container = { name: 'main', image: 'example.test/agent:1', resources: { limits } };
    await createPod(`placed-${index}`, podTemplate({}, { ...rest, containers: [container] }));
    const node = await eventually(
      'it is scheduled',
      async () => (await readPod(`placed-${index}`))?.spec.nodeName,
    );
    t.regex(node, want);
  });
}

test('a GPU pod without the toleration is not scheduled, and is told why', async (t) => {
  const container = {
    name: 'main',
    image: 'example.test/agent:1',
    resources: { limits: { 'nvidia.com/mig-1g.5gb': '1' } },
  };
  await createPod('untolerated', podTemplate({}, { containers: [container] }));
  const pod = await eventually('the scheduler gives up', async () => {
    const found = await readPod('untolerated');
    return found?.status.conditions?.some(({ reason }) => reason === 'Unschedulable') === true
      ? found
      : undefined;
  });
  t.is(pod.spec.nodeName, undefined);
});

test('a device is allocated by dynamic resource allocation', async (t) => {
  const claims = `/apis/resource.k8s.io/v1/namespaces/${namespace}/resourceclaims`;
  await cluster.admin.create(claims, {
    apiVersion: 'resource.k8s.io/v1',
    kind: 'ResourceClaim',
    metadata: { name: 'one-h100' },
    spec: { devices: { requests: [{ name: 'gpu', exactly: { deviceClassName: 'gpu.nvidia.com' } }] } },
  });
  const container = { name: 'main', image: 'example.test/agent:1', resources: { claims: [{ name: 'gpu' }] } };
  const spec = {
    tolerations: [gpuToleration],
    resourceClaims: [{ name: 'gpu', resourceClaimName: 'one-h100' }],
    containers: [container],
  };
  await createPod('with-claim', podTemplate({}, spec));
  const node = await eventually('it is scheduled', async () => (await readPod('with-claim'))?.spec.nodeName);
  t.regex(node, /^h100-dra-/);
});
