// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { attachSystem } from '#hack/system/attach';
import { eventually } from '#hack/tools/eventually';
import { agent, phase, run, waits, type World, world } from '../run-world.ts';
import { User } from '../user.ts';

const SAYS = 'kwok.nexusos.dev/termination-message';

interface PodList {
  readonly items: readonly { readonly metadata: { readonly name: string; readonly uid: string } }[];
}

function read({ user, namespace }: World, path: string, ...what: readonly string[]): Promise<string> {
  return user.does(['get', '-n', namespace, ...what, '-o', `jsonpath=${path}`]);
}

function ends(place: World, name: string, how: 'Succeeded' | 'Failed'): Promise<unknown> {
  return eventually(`${name} is ${how}`, async () => (await phase(place, name)) === how);
}

test('input and parameters reach the pod as the docs say', async (t) => {
  const parameters = [
    { name: 'topic', required: true },
    { name: 'style', default: 'short' },
  ];
  const place = await world(t, 'given', { worker: { parameters } });
  const { user, namespace } = place;
  const spec = { input: { configMapKeyRef: { name: 'data', key: 'doc' } }, parameters: { topic: '$(HOME)' } };
  await user.applies(run(namespace, 'reads', { spec }));
  t.regex(await waits(place, 'reads', 'InputNotFound'), /no ConfigMap data/);
  await user.does(['create', 'configmap', 'data', '-n', namespace, '--from-literal=doc=hello']);
  await ends(place, 'reads', 'Succeeded');
  const child = await read(place, '{.status.child.name}', 'run/reads');
  t.is(await read(place, '{.data.input}', `configmap/${child}`), 'hello');
  t.is(
    await read(place, '{.data.parameters\\.json}', `configmap/${child}`),
    '{"style":"short","topic":"$(HOME)"}',
  );
  t.regex(await read(place, '{.status.input.digest}', 'run/reads'), /^sha256:2cf24dba/);
  const variables = await read(
    place,
    '{.items[0].spec.containers[0].env[*].name}',
    'pods',
    '-l',
    'nexusos.dev/run=reads',
  );
  for (const name of ['NEXUSOS_INPUT_FILE', 'NEXUSOS_PARAMETER_topic', 'NEXUSOS_RESULT_FILE']) {
    t.true(variables.split(' ').includes(name), `${name} in: ${variables}`);
  }
  await user.applies(run(namespace, 'guesses', { spec: { parameters: { stile: 'long' } } }));
  await ends(place, 'guesses', 'Failed');
  t.regex(
    await waits(place, 'guesses', 'InvalidParameters'),
    /Agent worker has no stile; allowed are topic, style/,
  );
});

/** A class that no node has devices of: who starts a pod of it is the test. */
const BY_HAND = {
  apiVersion: 'nexusos.dev/v1alpha1',
  kind: 'GPUClass',
  metadata: { name: 'by-hand' },
  spec: { resourceName: 'example.com/by-hand', provisioning: 'OnDemand' },
};
/** A node on which nobody starts anything: pods stay as they were put there. */
const MUTE = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'mute' } };

/** Puts the only pod of a Run on the node, and has that node tell that it cannot mount a volume. */
async function cannotMount({ user, namespace }: World, name: string, message: string): Promise<void> {
  const label = `nexusos.dev/run=${name}`;
  const found = await user.sees<PodList>('pods', '-n', namespace, '-l', label);
  const { name: pod = '', uid = '' } = found?.items[0]?.metadata ?? {};
  const involvedObject = { apiVersion: 'v1', kind: 'Pod', namespace, name: pod, uid };
  const at = `${new Date().toISOString().slice(0, 19)}Z`;
  const told = { type: 'Warning', reason: 'FailedMount', message, firstTimestamp: at, lastTimestamp: at };
  const metadata = { name: `${pod}.1`, namespace };
  const target = { apiVersion: 'v1', kind: 'Node', name: MUTE.metadata.name };
  const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name: pod, namespace }, target };
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}/binding`;
  await user.does(['create', '--raw', path, '-f', '-'], JSON.stringify(binding));
  const event = { apiVersion: 'v1', kind: 'Event', metadata, involvedObject, ...told };
  await user.does(['create', '-f', '-'], JSON.stringify(event));
}

test('a Run whose Secret is not there says so, in the words of its node', async (t) => {
  const admin = new User(await attachSystem());
  await admin.applies(BY_HAND, MUTE);
  t.teardown(() => admin.does(['delete', 'node/mute', 'gpuclass/by-hand', '--wait=false']));
  const tenant = { quotas: { gpus: [{ class: 'by-hand', count: 1 }] } };
  const place = await world(t, 'unmounted', { tenant, worker: { gpu: { class: 'by-hand' } } });
  const spec = { input: { secretKeyRef: { name: 'prompt', key: 'text' } } };
  await place.user.applies(run(place.namespace, 'reads', { spec }));
  t.regex(await waits(place, 'reads', 'Starting'), /^waits for a node: /);
  const message = 'MountVolume.SetUp failed for volume "input" : secret "prompt" not found';
  await cannotMount(place, 'reads', message);
  const told = await eventually('the Run says something else', async () => {
    const words = await waits(place, 'reads', 'Starting');
    return words.startsWith('waits for a node') ? undefined : words;
  });
  t.is(told, `a volume cannot be mounted: ${message}`);
});

/** Has the node of the only pod of a Run tell what its container does. */
async function tells({ user, namespace }: World, name: string, state: object): Promise<void> {
  const label = `nexusos.dev/run=${name}`;
  const found = await user.sees<PodList>('pods', '-n', namespace, '-l', label);
  const pod = found?.items[0]?.metadata.name ?? '';
  const container = { name: 'agent', image: 'registry.example/worker:1', imageID: '', ready: false };
  const phases = 'terminated' in state ? { phase: 'Succeeded' } : { phase: 'Pending' };
  const status = { ...phases, containerStatuses: [{ ...container, restartCount: 0, state }] };
  const how = ['--subresource=status', '--type=merge', '-p', JSON.stringify({ status })];
  await user.does(['patch', 'pod', pod, '-n', namespace, ...how]);
}

test('a variable comes from a Secret that NexusOS never reads; while that is missing, the Run says so', async (t) => {
  const admin = new User(await attachSystem());
  const byHand = { ...BY_HAND, metadata: { name: 'by-hand-variable' } };
  const node = { ...MUTE, metadata: { name: 'mute-variable' } };
  await admin.applies(byHand, node);
  t.teardown(() => admin.does(['delete', 'node/mute-variable', 'gpuclass/by-hand-variable', '--wait=false']));
  const secretKeyRef = { name: 'model', key: 'token' };
  const env = [{ name: 'MODEL_TOKEN', valueFrom: { secretKeyRef } }];
  const worker = {
    container: { image: 'registry.example/worker:1', env },
    gpu: { class: 'by-hand-variable' },
  };
  const tenant = { quotas: { gpus: [{ class: 'by-hand-variable', count: 1 }] } };
  const place = await world(t, 'variables', { tenant, worker });
  const { user, namespace } = place;
  await user.applies(run(namespace, 'asks'));
  await waits(place, 'asks', 'Starting');
  const label = 'nexusos.dev/run=asks';
  const path = '{.items[0].spec.containers[0].env[?(@.name=="MODEL_TOKEN")].valueFrom.secretKeyRef}';
  t.deepEqual(JSON.parse(await read(place, path, 'pods', '-l', label)), secretKeyRef);
  const found = await user.sees<PodList>('pods', '-n', namespace, '-l', label);
  const pod = found?.items[0]?.metadata.name ?? '';
  const target = { apiVersion: 'v1', kind: 'Node', name: node.metadata.name };
  const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name: pod, namespace }, target };
  const bind = `/api/v1/namespaces/${namespace}/pods/${pod}/binding`;
  await user.does(['create', '--raw', bind, '-f', '-'], JSON.stringify(binding));
  const message = 'secret "model" not found';
  await tells(place, 'asks', { waiting: { reason: 'CreateContainerConfigError', message } });
  await eventually('the Run names the Secret', async () =>
    (await waits(place, 'asks', 'Starting')).endsWith(`CreateContainerConfigError: ${message}`),
  );
  await user.does([
    'create',
    'secret',
    'generic',
    'model',
    '-n',
    namespace,
    '--from-literal=token=hidden-away',
  ]);
  const at = `${new Date().toISOString().slice(0, 19)}Z`;
  await tells(place, 'asks', {
    terminated: { exitCode: 0, reason: 'Completed', startedAt: at, finishedAt: at },
  });
  await ends(place, 'asks', 'Succeeded');
  const told = await user.does(['get', 'run,agent,agentrevision,pod,cm', '-n', namespace, '-o', 'json']);
  t.notRegex(told, /hidden-away|aGlkZGVuLWF3YXk/, 'nobody but its container has read it');
});

test('variables that cannot be meant are refused with their field', async (t) => {
  const { user, namespace } = await world(t, 'odd-variables');
  const secretKeyRef = { name: 's', key: 'k' };
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ value: 'a', valueFrom: { secretKeyRef } }, /env\[0\]: .*at most one of value and valueFrom/],
    [{ valueFrom: {} }, /env\[0\]\.valueFrom: .*exactly one of secretKeyRef and configMapKeyRef/],
    [{ valueFrom: { secretKeyRef, configMapKeyRef: secretKeyRef } }, /exactly one of secretKeyRef/],
    [{ valueFrom: { secretKeyRef: { name: '../s', key: 'k' } } }, /valueFrom\.secretKeyRef\.name/],
    [{ valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }, /unknown field .*fieldRef/],
  ];
  for (const [more, want] of cases) {
    const odd = agent(namespace, {
      container: { image: 'registry.example/worker:1', env: [{ name: 'A', ...more }] },
    });
    const { ok, text } = await user.tries(['apply', '-f', '-'], JSON.stringify(odd));
    t.false(ok);
    t.regex(text, want);
  }
});

test('a Run names the tools and the steps that it leaves its container, and no others', async (t) => {
  const worker = {
    entitlements: { tools: ['search', 'shell'] },
    limits: { timeoutSeconds: 600, maxSteps: 50 },
  };
  const place = await world(t, 'told-bounds', { worker });
  const { user, namespace } = place;
  await user.applies(run(namespace, 'careful', { spec: { tools: ['search'], maxSteps: 5 } }));
  await ends(place, 'careful', 'Succeeded');
  const told = (name: string) =>
    read(
      place,
      `{.items[0].spec.containers[0].env[?(@.name=="${name}")].value}`,
      'pods',
      '-l',
      'nexusos.dev/run=careful',
    );
  t.is(await told('NEXUSOS_TOOLS'), '["search"]');
  t.is(await told('NEXUSOS_MAX_STEPS'), '5');
  await user.applies(run(namespace, 'greedy', { spec: { tools: ['search', 'browser'] } }));
  await ends(place, 'greedy', 'Failed');
  const says = await waits(place, 'greedy', 'ToolsNotAllowed');
  t.is(says, 'spec.tools: found browser, which Agent worker is not entitled to; allowed are search, shell');
  t.is(await read(place, '{.status.error.code}', 'run/greedy'), 'policy_blocked');
  t.is(
    (
      await user.sees<{ readonly items: readonly unknown[] }>(
        'pods',
        '-n',
        namespace,
        '-l',
        'nexusos.dev/run=greedy',
      )
    )?.items.length,
    0,
  );
});

test('what a container says at its end is in the status of its Run', async (t) => {
  const place = await world(t, 'telling');
  const { user, namespace } = place;
  const said = { output: { pages: 3 }, usage: { inputTokens: 120, toolCalls: 2 } };
  await user.applies(run(namespace, 'tells', { annotations: { [SAYS]: JSON.stringify(said) } }));
  await ends(place, 'tells', 'Succeeded');
  t.is(await read(place, '{.status.result.output}', 'run/tells'), '{"pages":3}');
  t.is(await read(place, '{.status.usage.reported.inputTokens}', 'run/tells'), '120');
  const fails = { 'kwok.nexusos.dev/outcome': 'exit-code', [SAYS]: 'the model is away' };
  await user.applies(run(namespace, 'breaks', { annotations: fails }));
  await ends(place, 'breaks', 'Failed');
  t.regex(await read(place, '{.status.error.message}', 'run/breaks'), /exit code 1: the model is away/);
});

test('input that cannot be meant is refused with its field', async (t) => {
  const place = await world(t, 'strict');
  const { user, namespace } = place;
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ input: { inline: 'a', uri: 's3://b/c' } }, /at most one of inline/],
    [{ input: { uri: 'not an address' } }, /spec\.input\.uri/],
    [{ input: { inline: 'a', digest: 'md5:0' } }, /spec\.input\.digest/],
    [{ parameters: { 'LD PRELOAD': 'x' } }, /letters, digits and underscores/],
    [{ parameters: { a: 'x'.repeat(2049) } }, /spec\.parameters\.a/],
    [{ parameters: { a: 'x\0y' } }, /values cannot hold U\+0000/],
    [{ input: { inline: 'x'.repeat(32_769) } }, /spec\.input\.inline/],
    [{ idempotencyKey: '\u043erder-17' }, /spec\.idempotencyKey/],
    [{ idempotencyKey: 'order-17\n' }, /spec\.idempotencyKey/],
    [{ session: 'chat\0' }, /spec\.session/],
  ];
  for (const [spec, want] of cases) {
    const { ok, text } = await user.tries(
      ['apply', '-f', '-'],
      JSON.stringify(run(namespace, 'odd', { spec })),
    );
    t.false(ok);
    t.regex(text, want);
  }
  const odd = agent(namespace, { parameters: [{ name: 'style', default: 'loud', enum: ['short', 'long'] }] });
  const { ok, text } = await user.tries(['apply', '-f', '-'], JSON.stringify(odd));
  t.false(ok);
  t.regex(text, /spec\.parameters\[0\]\.default.*default must be one of the values of enum/);
});

test('a default that no Run could give is refused', async (t) => {
  const { user, namespace } = await world(t, 'defaults');
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ default: 'long', enum: ['short'] }, /spec\.parameters\[0\]\.default: .*one of the values/],
    [{ default: 'x\0y' }, /spec\.parameters\[0\]\.default: .*U\+0000/],
  ];
  for (const [more, want] of cases) {
    const odd = agent(namespace, { parameters: [{ name: 'style', ...more }] });
    const { ok, text } = await user.tries(['apply', '-f', '-'], JSON.stringify(odd));
    t.false(ok);
    t.regex(text, want);
  }
});

test('a Run whose Agent is deleted before its input comes waits for one of that name', async (t) => {
  const place = await world(t, 'orphaned', { tenant: { quotas: { runs: { maxConcurrent: 1 } } } });
  const { user, namespace } = place;
  const spec = { input: { configMapKeyRef: { name: 'data', key: 'doc' } } };
  await user.applies(run(namespace, 'patient', { spec }));
  await waits(place, 'patient', 'InputNotFound');
  await user.does(['delete', 'agent/worker', '-n', namespace]);
  t.regex(await waits(place, 'patient', 'AgentNotFound'), /Agent worker/);
  t.is(await phase(place, 'patient'), 'Queued');
  await user.does(['create', 'configmap', 'data', '-n', namespace, '--from-literal=doc=hello']);
  await user.applies(agent(namespace));
  await ends(place, 'patient', 'Succeeded');
});
