// SPDX-License-Identifier: Apache-2.0
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import { attachSystem } from '#hack/system/attach';
import { eventually } from '#hack/tools/eventually';
import { type ApiUser, apiUser } from '../api-user.ts';
import { HOSTILE_REQUESTS, type HostilePlace } from '../hostile-requests.ts';
import { agent, FOREVER, phase, run, type RunChoice, type World } from '../run-world.ts';
import { tenantManifest, User } from '../user.ts';

/**
 * What the administrator of a tenant can try with Runs and Agents against others, against the platform, and against the bill. He has every right
 * that a tenant can have. Each is refused in words, or does no harm.
 */

interface Hostile {
  readonly place: World;
  readonly owner: ApiUser;
  readonly target: HostilePlace;
}

const test = anyTest as TestFn<Hostile>;
const SAYS = 'kwok.nexusos.dev/termination-message';

interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly nodeName?: string;
    readonly nodeSelector?: object;
    readonly serviceAccountName?: string;
    readonly automountServiceAccountToken?: boolean;
    readonly hostNetwork?: boolean;
    readonly priorityClassName?: string;
    readonly affinity?: object;
    readonly tolerations: readonly { readonly key?: string }[];
    readonly volumes: readonly Readonly<Record<string, unknown>>[];
    readonly containers: readonly {
      readonly env: readonly {
        readonly name: string;
        readonly value?: string;
        readonly valueFrom?: object;
      }[];
      readonly securityContext: { readonly privileged?: boolean; readonly capabilities?: object };
      readonly volumeMounts: readonly { readonly mountPath: string }[];
    }[];
  };
}

test.before(async (t) => {
  const user = new User(await attachSystem());
  const place = { user, namespace: 'hostile-a-main' };
  await user.applies(tenantManifest('hostile-a'), tenantManifest('hostile-b'));
  for (const tenant of ['hostile-a', 'hostile-b']) await user.awaitsReady(`tenant/${tenant}`);
  await user.applies(agent(place.namespace));
  await user.awaitsReady('-n', place.namespace, 'agent/worker');
  const owner = await apiUser(await attachSystem(), { user: 'hostile-a-admin' });
  const { namespace } = place;
  await eventually('the owner is let in', async () => {
    const { status } = await owner.send('GET', `/api/v1/namespaces/${namespace}/configmaps`);
    return status === 200;
  });
  await user.applies(run(namespace, 'target', FOREVER));
  await eventually('the target runs', async () => (await phase(place, 'target')) === 'Running');
  const pod = (await podOf(place, 'target')).metadata.name;
  const seen = await user.sees<{ readonly metadata: { readonly uid: string } }>(
    '-n',
    namespace,
    'run/target',
  );
  const target = { namespace, victim: 'hostile-b-main', pod, runUid: seen?.metadata.uid ?? '' };
  t.context = { place, owner, target };
});
test.after.always(async (t) => {
  const { owner, place } = t.context;
  await owner?.close();
  await place?.user.does(['delete', 'runs', '--all', '-n', place.namespace, '--wait=false']);
});

async function podOf({ user, namespace }: World, name: string): Promise<Pod> {
  return eventually(`${name} has a pod`, async () => {
    const list = await user.sees<{ readonly items: readonly Pod[] }>(
      '-n',
      namespace,
      'pods',
      '-l',
      `nexusos.dev/run=${name}`,
    );
    return list?.items[0];
  });
}

for (const [title, { method = 'POST', path, body, status, words }] of Object.entries(HOSTILE_REQUESTS)) {
  test(`refused: ${title}`, async (t) => {
    const { owner, target } = t.context;
    const answer = await owner.send(method, path(target), body?.(target));
    t.is(answer.status, status, answer.message.slice(0, 500));
    t.regex(answer.message, words);
  });
}

test('refused: what was refused has changed nothing', async (t) => {
  const { place } = t.context;
  t.is(await phase(place, 'target'), 'Running');
  t.is(await phase(place, 'odd'), undefined);
});

/** Creates a Run as the owner of the tenant. */
async function creates(t: ExecutionContext<Hostile>, name: string, choice: RunChoice) {
  const { owner, place } = t.context;
  const path = `/apis/nexusos.dev/v1alpha1/namespaces/${place.namespace}/runs`;
  const answer = await owner.send('POST', path, run(place.namespace, name, choice));
  t.is(answer.status, 201, answer.message.slice(0, 500));
}

/** Everything by which a pod chooses where it goes, or what it may do there. */
function hasNoChoice(t: ExecutionContext, { metadata, spec }: Pod): void {
  const { nodeSelector = {}, affinity, priorityClassName, hostNetwork, serviceAccountName } = spec;
  t.deepEqual(
    { nodeSelector, affinity, hostNetwork },
    { nodeSelector: {}, affinity: undefined, hostNetwork: undefined },
  );
  t.is(priorityClassName, undefined);
  t.not(serviceAccountName, 'default');
  t.is(spec.automountServiceAccountToken, false);
  t.deepEqual(
    spec.tolerations.filter(({ key = '' }) => !key.startsWith('node.kubernetes.io/')),
    [],
  );
  t.deepEqual(
    spec.volumes.filter((one) => one['hostPath'] !== undefined || one['secret'] !== undefined),
    [],
  );
  // By what it was admitted is the operator's word, and none of the tenant's.
  t.deepEqual(
    Object.keys(metadata.annotations ?? {}).filter(
      (key) => !key.startsWith('kwok.nexusos.dev/') && key !== ANNOTATIONS.admission,
    ),
    [],
  );
}

test('harmless: a Run says where its pod is to go, and is not heard', async (t) => {
  const { place } = t.context;
  const annotations = {
    ...FOREVER.annotations,
    'scheduler.alpha.kubernetes.io/node-selector': 'nvidia.com/gpu.product=NVIDIA-L4',
    'scheduler.alpha.kubernetes.io/tolerations': '[{"operator":"Exists"}]',
    'scheduler.alpha.kubernetes.io/critical-pod': '',
    'nexusos.dev/tenant-uid': 'another',
    [ANNOTATIONS.admission]: '{"atMs":0}',
    'nexusos.dev/priority-classes': 'system-node-critical',
    'nexusos.dev/grant-revision': '9007199254740991',
    'kueue.x-k8s.io/queue-name': 'hostile-b',
    'volcano.sh/queue-name': 'hostile-b',
  };
  const spec = {
    nodeName: 'h100-0',
    nodeSelector: { 'nvidia.com/gpu.product': 'NVIDIA-L4' },
    tolerations: [{ operator: 'Exists' }],
    affinity: { nodeAffinity: {} },
    priorityClassName: 'system-node-critical',
    serviceAccountName: 'default',
    queueName: 'hostile-b',
    tenant: 'hostile-b',
  };
  await creates(t, 'steers', { annotations, spec });
  const pod = await podOf(place, 'steers');
  hasNoChoice(t, pod);
  t.is(pod.metadata.labels['nexusos.dev/tenant'], 'hostile-a');
  t.is(pod.metadata.labels['nexusos.dev/run'], 'steers');
});

test('harmless: labels of other queues stay on the Run', async (t) => {
  const { owner, place } = t.context;
  const { namespace } = place;
  const object = run(namespace, 'queues', FOREVER);
  const labels = { 'kueue.x-k8s.io/queue-name': 'hostile-b', 'volcano.sh/queue-name': 'hostile-b', app: 'x' };
  const path = `/apis/nexusos.dev/v1alpha1/namespaces/${namespace}/runs`;
  const { status } = await owner.send('POST', path, { ...object, metadata: { ...object.metadata, labels } });
  t.is(status, 201);
  const pod = await podOf(place, 'queues');
  t.deepEqual(
    Object.keys(pod.metadata.labels).filter((key) => key in labels),
    [],
  );
});

test('harmless: an Agent says what its pods may do, and is not heard', async (t) => {
  const { owner, place } = t.context;
  const { namespace } = place;
  const container = {
    image: 'registry.example/worker:1',
    env: [
      { name: 'NEXUSOS_RUN', value: 'another' },
      { name: 'NEXUSOS_RESULT_FILE', value: '/etc/passwd' },
    ],
    securityContext: { privileged: true, runAsUser: 0 },
    volumeMounts: [{ name: 'root', mountPath: '/host' }],
    volumeDevices: [],
    imagePullPolicy: 'Never',
  };
  const steering = {
    nodeName: 'h100-0',
    nodeSelector: { 'nvidia.com/gpu.product': 'NVIDIA-L4' },
    tolerations: [{ operator: 'Exists' }],
    affinity: { nodeAffinity: {} },
    hostNetwork: true,
    serviceAccountName: 'default',
    priorityClassName: 'system-node-critical',
    volumes: [{ name: 'root', hostPath: { path: '/' } }],
  };
  const object = agent(namespace, { container, ...steering });
  const path = `/apis/nexusos.dev/v1alpha1/namespaces/${namespace}/agents`;
  const { status, message } = await owner.send('POST', path, {
    ...object,
    metadata: { name: 'bold', namespace },
  });
  t.is(status, 201, message);
  await place.user.awaitsReady('-n', namespace, 'agent/bold');
  await creates(t, 'bold', { ...FOREVER, spec: { agentRef: { name: 'bold' } } });
  const pod = await podOf(place, 'bold');
  hasNoChoice(t, pod);
  const [only] = pod.spec.containers;
  t.is(only?.securityContext.privileged, undefined);
  t.deepEqual(
    only?.volumeMounts.map(({ mountPath }) => mountPath),
    ['/tmp'],
  );
  const env = new Map(only?.env.map(({ name, value }) => [name, value]));
  t.is(env.get('NEXUSOS_RUN'), 'bold');
  t.is(env.get('NEXUSOS_RESULT_FILE'), '/dev/termination-log');
  t.is(only?.env.length, env.size, 'no variable is there twice');
});

/** How a kubelet reads the value of a variable, where $(ANY) is replaced by !. */
function expanded(value: string): string {
  return value.replaceAll(/\$(?:\$|\([^)]*\)|)/g, (found) => ({ $: '$', $$: '$' })[found] ?? '!');
}

const WORDS: readonly string[] = [
  '$(NEXUSOS_AGENT)',
  '$$(NEXUSOS_AGENT)',
  '$$$(PATH)',
  '`id`',
  '${HOME}',
  '%n',
];

test('harmless: what looks like a variable reaches the container as it was written', async (t) => {
  const { place } = t.context;
  const session = WORDS.join(' ');
  const uri = `s3://${WORDS.join('/')}`;
  const value = `${WORDS.join('\n')}\r\n--flag="'; drop table`;
  const spec = { session, input: { uri }, parameters: { a: value } };
  await creates(t, 'writes', { ...FOREVER, spec });
  const pod = await podOf(place, 'writes');
  const env = new Map(pod.spec.containers[0]?.env.map((one) => [one.name, one]));
  t.is(expanded(env.get('NEXUSOS_SESSION')?.value ?? ''), session);
  t.is(expanded(env.get('NEXUSOS_INPUT_URI')?.value ?? ''), uri);
  t.is(env.get('NEXUSOS_PARAMETER_a')?.value, undefined);
  const given = await place.user.sees<{ readonly data: Readonly<Record<string, string>> }>(
    '-n',
    place.namespace,
    `configmap/${pod.metadata.name}`,
  );
  t.is(given?.data['parameter.a'], value);
  t.deepEqual(JSON.parse(given?.data['parameters.json'] ?? ''), { a: value });
});

const MESSAGES: Readonly<Record<string, string>> = {
  'a negative use': '{"usage":{"toolCalls":-1000000,"inputTokens":-5}}',
  'a use without end': '{"usage":{"toolCalls":1e400,"sandboxCalls":9007199254740993}}',
  'more calls than the time holds': '{"usage":{"toolCalls":1000000000}}',
  'part of a call': '{"usage":{"toolCalls":0.5}}',
  'a prototype': '{"__proto__":{"usage":{"toolCalls":1}},"constructor":{"prototype":{"a":1}},"output":1}',
  'nesting without end': `${'{"output":'.repeat(800)}1${'}'.repeat(800)}`,
  'hundred kilobytes': JSON.stringify({ output: 'x'.repeat(100_000) }),
  'what takes over a terminal': '\u001b[2J\u001b]0;root\u0007 done\u0000',
  'a status of its own':
    '{"phase":"Failed","error":{"code":"forbidden","message":"x"},"amounts":{"runUnits":"-5"}}',
};

interface Told {
  readonly status?: {
    readonly phase?: string;
    readonly result?: { readonly output?: string };
    readonly usage?: {
      readonly reported?: Readonly<Record<string, number>>;
      readonly total?: { readonly runUnits: string };
    };
  };
}

for (const [index, [title, message]] of Object.entries(MESSAGES).entries()) {
  test(`harmless: a container ends with ${title}`, async (t) => {
    const { place } = t.context;
    const name = `says-${index}`;
    await creates(t, name, { annotations: { [SAYS]: message, 'kwok.nexusos.dev/duration': '2s' } });
    const { output, reported, runUnits } = await endOf(place, name);
    t.true(output.length <= 4096);
    for (const [what, count] of Object.entries(reported)) {
      t.true(Number.isInteger(count) && count >= 0 && count <= 1_000_000, `${what}: ${count}`);
    }
    t.true(runUnits >= 0.01, String(runUnits));
  });
}

/** What is told of a Run that has succeeded. */
async function endOf({ user, namespace }: World, name: string) {
  const { status } = await eventually(`${name} has ended`, async () => {
    const seen = await user.sees<Told>('-n', namespace, `run/${name}`);
    if (seen?.status?.phase !== 'Succeeded') throw new Error(JSON.stringify(seen?.status));
    return seen;
  });
  const { reported = {}, total } = status?.usage ?? {};
  return { output: status?.result?.output ?? '', reported, runUnits: Number(total?.runUnits) };
}

test('harmless: a Run that nobody may delete, as its owner has put finalizers on it, gives its place back', async (t) => {
  const { owner, place } = t.context;
  const { namespace, user } = place;
  const finalizers = ['nexusos.dev/run', 'nexusos.dev/tenant', 'example.com/never'];
  const path = `/apis/nexusos.dev/v1alpha1/namespaces/${namespace}/runs`;
  const object = run(namespace, 'stays', FOREVER);
  const { status } = await owner.send('POST', path, {
    ...object,
    metadata: { ...object.metadata, finalizers },
  });
  t.is(status, 201);
  await eventually('it runs', async () => (await phase(place, 'stays')) === 'Running');
  t.is((await owner.send('DELETE', `${path}/stays`)).status, 200);
  await eventually('it has ended', async () => (await phase(place, 'stays')) === 'Cancelled');
  await eventually('its place is given back', async () => {
    const ledger = await user.sees<{
      readonly status?: { readonly reservations?: readonly { readonly name: string }[] };
    }>('quotaledger/hostile-a');
    return !(ledger?.status?.reservations ?? []).some(({ name }) => name === 'stays');
  });
  t.is((await owner.send('PATCH', `${path}/stays`, { metadata: { finalizers: null } })).status, 200);
});

test('harmless: an input of a megabyte in a ConfigMap fails its Run, and is copied nowhere', async (t) => {
  const { owner, place } = t.context;
  const { namespace, user } = place;
  const configMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'large', namespace },
    data: { doc: 'x'.repeat(1_000_000) },
  };
  t.is((await owner.send('POST', `/api/v1/namespaces/${namespace}/configmaps`, configMap)).status, 201);
  await creates(t, 'reads', { spec: { input: { configMapKeyRef: { name: 'large', key: 'doc' } } } });
  await eventually('it fails', async () => (await phase(place, 'reads')) === 'Failed');
  const seen = await user.sees<{
    readonly status: { readonly error: { readonly code: string; readonly message: string } };
  }>('-n', namespace, 'run/reads');
  t.is(seen?.status.error.code, 'invalid_request');
  t.regex(seen?.status.error.message ?? '', /262144|256 KiB/);
});
