// SPDX-License-Identifier: Apache-2.0
import anyTest, { type ExecutionContext } from 'ava';
import { attachSystem } from '#hack/system/attach';
import { eventually } from '#hack/tools/eventually';
import { temporaryFolder } from '#hack/tools/testing/temporary-folder';
import { type Received, startEndpoint } from '../agent-endpoint.ts';
import { bind, failMount, type PlayedPod, playPod, QUIET_NODE } from '../kubelet.ts';
import { agent, run, waits, type World, world } from '../run-world.ts';
import { User } from '../user.ts';

const test = anyTest.serial;

interface Told {
  readonly status?: {
    readonly phase?: string;
    readonly result?: { readonly output?: string; readonly artifacts?: readonly object[] };
    readonly usage?: { readonly reported?: object };
    readonly error?: { readonly code: string; readonly message: string; readonly exitCode?: number };
    readonly retries?: { readonly spent: number };
  };
}

/** A tenant none of whose pods is ever scheduled, as it has no nodes of its own: the test is the node. */
async function quietWorld(
  t: ExecutionContext,
  name: 'distant' | 'remote-fails',
  remote: object,
): Promise<World> {
  const admin = new User(await attachSystem());
  const RuntimeClass = { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass' };
  await admin.applies({ ...RuntimeClass, metadata: { name: 'sandbox' }, handler: 'sandbox' }, QUIET_NODE);
  const isolation = { tier: 'Hard', runtimeClassName: 'sandbox' };
  const entitlements = { registries: ['registry.example'] };
  const worker = { shape: 'remote', container: undefined, remote };
  return world(t, name, { tenant: { isolation, entitlements }, worker });
}

test.after.always(async () => {
  const admin = new User(await attachSystem());
  await admin.does(['delete', 'node', QUIET_NODE.metadata.name, '--ignore-not-found', '--wait=false']);
});

async function podOf({ user, namespace }: World, name: string): Promise<PlayedPod> {
  return eventually(`${name} has a pod that has not ended`, async () => {
    const label = `nexusos.dev/run=${name}`;
    type Pod = PlayedPod & { readonly status: { readonly phase?: string } };
    const list = await user.sees<{ readonly items: readonly Pod[] }>('pods', '-n', namespace, '-l', label);
    return list?.items.find(({ status }) => status.phase === 'Pending');
  });
}

function ends({ user, namespace }: World, name: string, how: string): Promise<Told> {
  return eventually(`${name} is ${how}`, async () => {
    const found = await user.sees<Told>('-n', namespace, `run/${name}`);
    if (found?.status?.phase !== how) throw new Error(JSON.stringify(found?.status));
    return found;
  });
}

test('a Run of a remote agent is handed on once its Secret is there, and tells what came of it', async (t) => {
  const parts = [{ text: 'three pages' }, { url: 's3://reports/q3.pdf', filename: 'q3.pdf' }];
  const metadata = { 'nexusos.dev/usage': { inputTokens: 12, outputTokens: 34 } };
  const artifacts = [{ artifactId: 'a', parts }];
  const end = { status: { state: 'TASK_STATE_COMPLETED' }, artifacts, metadata };
  const { url, received } = await startEndpoint(t, [end]);
  const auth = { secretKeyRef: { name: 'peer', key: 'token' } };
  const place = await quietWorld(t, 'distant', { url, insecureHttp: true, auth, pollSeconds: 1 });
  const { user, namespace } = place;
  const spec = {
    input: { inline: '{"document":"q3 $(HOME)"}' },
    parameters: { style: 'short $(HOME)' },
    session: 'chat',
  };
  await user.applies(run(namespace, 'reads', { spec }));
  const pod = await podOf(place, 'reads');
  await bind(user, pod);
  const message = 'MountVolume.SetUp failed for volume "remote" : secret "peer" not found';
  await failMount(user, pod, message);
  t.is(await waitsFor(place, 'reads', /a volume/), `a volume cannot be mounted: ${message}`);

  await user.applies({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'peer', namespace },
    stringData: { token: 'a-very-long-token' },
  });
  const { log } = await playPod(user, pod, await temporaryFolder(t, 'node'));
  const { status } = await ends(place, 'reads', 'Succeeded');
  t.like(status, {
    result: { output: 'three pages', artifacts: [{ name: 'q3.pdf', uri: 's3://reports/q3.pdf' }] },
    usage: { reported: { inputTokens: 12, outputTokens: 34 } },
  });
  t.is(received.length, 1);
  const [{ authorization, message: sent }] = received as readonly [Received];
  t.is(authorization, 'Bearer a-very-long-token');
  t.like(sent, {
    messageId: `${await uidOf(place, 'reads')}-1`,
    parts: [{ data: { document: 'q3 $(HOME)' } }],
  });
  t.regex(String(sent.contextId), /^[0-9a-f]{32}$/);
  t.deepEqual(sent.metadata['nexusos.dev/parameters'], { style: 'short $(HOME)' });
  t.notRegex(log, /a-very-long-token|q3|three pages/);
});

async function waitsFor(place: World, name: string, words: RegExp): Promise<string> {
  return eventually(`${name} says ${words.source}`, async () => {
    const found = await waits(place, name, 'Starting');
    return words.test(found) ? found : undefined;
  });
}

async function uidOf({ user, namespace }: World, name: string): Promise<string> {
  return user.does(['get', '-n', namespace, `run/${name}`, '-o', 'jsonpath={.metadata.uid}']);
}

test('what a task asks, its Run asks people; the answer goes to the same task', async (t) => {
  const question = { messageId: 'm', role: 'ROLE_AGENT', parts: [{ text: 'Which account?' }] };
  const asks = { status: { state: 'TASK_STATE_INPUT_REQUIRED', message: question } };
  const artifacts = [{ artifactId: 'a', parts: [{ text: 'paid' }] }];
  const { url, received } = await startEndpoint(t, [
    asks,
    { status: { state: 'TASK_STATE_COMPLETED' }, artifacts },
  ]);
  const place = await quietWorld(t, 'distant', { url, insecureHttp: true, pollSeconds: 1 });
  const { user, namespace } = place;
  await user.applies(run(namespace, 'pays', { spec: { input: { inline: 'pay' } } }));
  const first = await podOf(place, 'pays');
  await bind(user, first);
  await playPod(user, first, await temporaryFolder(t, 'node'));
  t.regex(await waits(place, 'pays', 'InputRequired'), /Which account\?/);
  const patch = '{"spec":{"answers":{"1":{"text":"acme"}}}}';
  await user.does(['patch', 'run/pays', '-n', namespace, '--type=merge', '-p', patch]);
  const second = await podOf(place, 'pays');
  await bind(user, second);
  await playPod(user, second, await temporaryFolder(t, 'node'));
  const { status } = await ends(place, 'pays', 'Succeeded');
  t.is(status?.result?.output, 'paid');
  t.is(received.length, 2);
  t.like(received[1]?.message, { taskId: 'task-1', parts: [{ text: 'acme' }] });
});

test('a retry after an answer begins anew, as the task that had it has failed', async (t) => {
  const question = { messageId: 'm', role: 'ROLE_AGENT', parts: [{ text: 'Which account?' }] };
  const asks = { status: { state: 'TASK_STATE_INPUT_REQUIRED', message: question } };
  const artifacts = [{ artifactId: 'a', parts: [{ text: 'paid at last' }] }];
  const { url, received } = await startEndpoint(t, [
    asks,
    { status: { state: 'TASK_STATE_FAILED' } },
    { status: { state: 'TASK_STATE_COMPLETED' }, artifacts },
  ]);
  const place = await quietWorld(t, 'distant', { url, insecureHttp: true, pollSeconds: 1 });
  const { user, namespace } = place;
  const retries = { limit: 1, exitCodes: [10], backoffSeconds: 1 };
  await user.applies(run(namespace, 'pays-later', { spec: { retries, input: { inline: 'pay' } } }));
  const plays = async () => {
    const pod = await podOf(place, 'pays-later');
    await bind(user, pod);
    await playPod(user, pod, await temporaryFolder(t, 'node'));
  };
  await plays();
  await waits(place, 'pays-later', 'InputRequired');
  const patch = '{"spec":{"answers":{"1":{"text":"acme"}}}}';
  await user.does(['patch', 'run/pays-later', '-n', namespace, '--type=merge', '-p', patch]);
  await plays();
  await plays();
  const { status } = await ends(place, 'pays-later', 'Succeeded');
  t.is(status?.result?.output, 'paid at last');
  t.is(status?.retries?.spent, 1);
  t.is(received.length, 3);
  t.is(received[1]?.message.taskId, 'task-1');
  t.is(received[2]?.message.taskId, undefined);
  t.like(received[2]?.message, { parts: [{ text: 'pay' }] });
});

test('a task that fails fails the Run with its words and code; what was not taken is tried again by its exit code', async (t) => {
  const said = { messageId: 'm', role: 'ROLE_AGENT', parts: [{ text: 'not for you' }] };
  const rejected = { status: { state: 'TASK_STATE_REJECTED', message: said } };
  const { url, received } = await startEndpoint(t, [rejected]);
  const nowhere = 'http://127.0.0.1:1/a2a';
  const retries = { limit: 0 };
  const place = await quietWorld(t, 'remote-fails', { url: nowhere, insecureHttp: true, retries });
  const { user, namespace } = place;
  const again = { limit: 2, exitCodes: [20, 21], backoffSeconds: 1 };
  await user.applies(run(namespace, 'asks', { spec: { retries: again, input: { inline: 'please' } } }));
  const first = await podOf(place, 'asks');
  await bind(user, first);
  await playPod(user, first, await temporaryFolder(t, 'node'));
  // Attempts stay with the revision of the first: that the endpoint moved is for other Runs.
  await user.applies(agentAt(namespace, url));
  await user.awaitsReady('-n', namespace, 'agent/worker');
  const second = await podOf(place, 'asks');
  t.not(second.metadata.name, first.metadata.name);
  await user.does(['patch', 'run/asks', '-n', namespace, '--type=merge', '-p', '{"spec":{"cancel":true}}']);
  await ends(place, 'asks', 'Cancelled');
  t.is(received.length, 0);

  await user.applies(run(namespace, 'asks-there', { spec: { retries: again, input: { inline: 'please' } } }));
  const third = await podOf(place, 'asks-there');
  await bind(user, third);
  await playPod(user, third, await temporaryFolder(t, 'node'));
  const { status } = await ends(place, 'asks-there', 'Failed');
  t.is(received.length, 1, 'what the agent declined is not tried again');
  t.like(status?.error, { code: 'forbidden', exitCode: 11 });
  t.regex(status?.error?.message ?? '', /the agent declined the task: not for you/);
});

function agentAt(namespace: string, url: string) {
  const remote = { url, insecureHttp: true };
  return agent(namespace, { shape: 'remote', container: undefined, remote });
}

test('a tenant gets the image that speaks to endpoints only by a Run', async (t) => {
  const place = await quietWorld(t, 'distant', { url: 'https://agents.example.com/a2a' });
  const { user, namespace } = place;
  await user.applies(run(namespace, 'made'));
  const pod = await podOf(place, 'made');
  const [container] = pod.spec.containers;
  t.like(container, { command: ['node', 'remote.mjs'] });
  t.deepEqual(
    container?.env.filter(({ name }) => !name.startsWith('NEXUSOS_')),
    [],
  );
  const image = container?.image ?? '';
  const own = (metadata: object) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'own', namespace, ...metadata },
    spec: {
      runtimeClassName: 'sandbox',
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [{ name: 'c', image, imagePullPolicy: 'Always', securityContext: RESTRICTED }],
    },
  });
  const refused = await user.tries(['create', '-f', '-'], JSON.stringify(own({})));
  t.false(refused.ok);
  t.regex(refused.text, /policy_blocked: spec\.containers\[\*\]\.image: found/);
  const alike = { labels: { 'nexusos.dev/run-uid': 'x' } };
  const disguised = await user.tries(['create', '-f', '-'], JSON.stringify(own(alike)));
  t.false(disguised.ok);
  t.regex(disguised.text, /policy_blocked: .*image|only NexusOS makes its pods/);
  const job = agent(namespace, { container: { image } });
  await user.applies({ ...job, metadata: { name: 'own', namespace } });
  const ready = await eventually('the Agent is judged', () =>
    user.condition('Ready', '-n', namespace, 'agent/own'),
  );
  t.is(ready.reason, 'RegistryNotAllowed');
  // A pod may be half a second old before its Run says so.
  await ends(place, 'made', 'Admitted');
});

const RESTRICTED = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };

const OK = { url: 'https://agents.example.com/a2a' };
const REFUSED: Readonly<Record<string, { readonly spec: object; readonly says: RegExp }>> = {
  'no address': { spec: { remote: { protocolVersions: ['1.0'] } }, says: /found neither url nor cardUrl/ },
  'no TLS': { spec: { remote: { url: 'http://agents.example.com' } }, says: /found an http address/ },
  'a card without TLS': {
    spec: { remote: { ...OK, cardUrl: 'http://agents.example.com/card' } },
    says: /found an http address/,
  },
  'a password in the address': {
    spec: { remote: { url: 'https://me:secret@agents.example.com/' } },
    says: /spec\.remote\.url/,
  },
  'another scheme': { spec: { remote: { url: 'file:///etc/passwd' } }, says: /spec\.remote\.url/ },
  'a fragment': { spec: { remote: { url: 'https://agents.example.com/#a' } }, says: /spec\.remote\.url/ },
  'a line break': { spec: { remote: { url: 'https://agents.example.com/\na' } }, says: /spec\.remote\.url/ },
  'a host that only begins as one': {
    spec: { remote: { url: 'https://agents.example.com\\@evil.example/' } },
    says: /spec\.remote\.url/,
  },
  'a container': {
    spec: { remote: OK, container: { image: 'a' } },
    says: /container: found with shape remote/,
  },
  GPUs: { spec: { remote: OK, gpu: { class: 'h100' } }, says: /gpu: found with shape remote/ },
  'a port': { spec: { remote: OK, service: { port: 1 } }, says: /service: found with another shape/ },
  nothing: { spec: {}, says: /remote: found nothing with shape remote/ },
  'remote without the shape': {
    spec: { shape: 'job', container: { image: 'a' }, remote: OK },
    says: /remote: found with another shape/,
  },
  'a job without a container': { spec: { shape: 'job' }, says: /container: found nothing/ },
  'a header without the scheme': {
    spec: { remote: { ...OK, auth: { header: 'X-Key', secretKeyRef: { name: 'a', key: 'b' } } } },
    says: /header is given with scheme Header/,
  },
  'a header that is taken': {
    spec: {
      remote: {
        ...OK,
        auth: { scheme: 'Header', header: 'Host', secretKeyRef: { name: 'a', key: 'b' } },
      },
    },
    says: /auth\.header: found one that says what the request is/,
  },
  'a status that is final': {
    spec: { remote: { ...OK, retries: { statuses: [429, 501] } } },
    says: /allowed are 429, 500, 502, 503, 504/,
  },
  'backoff beyond its end': {
    spec: { remote: { ...OK, retries: { backoffSeconds: 30, maxBackoffSeconds: 10 } } },
    says: /backoffSeconds must not be more than maxBackoffSeconds/,
  },
  'two authorities': {
    spec: {
      remote: {
        ...OK,
        tls: { caConfigMapKeyRef: { name: 'a', key: 'b' }, caSecretKeyRef: { name: 'a', key: 'b' } },
      },
    },
    says: /at most one of caConfigMapKeyRef and caSecretKeyRef/,
  },
  'another generation': { spec: { remote: { ...OK, protocolVersions: ['0.2'] } }, says: /Unsupported value/ },
};

test('what a remote agent cannot say is refused with the field, what was found and what would pass', async (t) => {
  const { user, namespace } = await world(t, 'remote-fussy');
  const tries = (spec: object) => {
    const one = agent(namespace, { shape: 'remote', container: undefined, ...spec });
    return user.tries(
      ['create', '--dry-run=server', '-f', '-'],
      JSON.stringify({ ...one, metadata: { name: 'far', namespace } }),
    );
  };
  for (const [title, { spec, says }] of Object.entries(REFUSED)) {
    const said = await tries(spec);
    t.false(said.ok, title);
    t.regex(said.text, says, title);
  }
  const whole = await tries({
    remote: {
      ...OK,
      cardUrl: 'https://[2001:db8::1]:8443/.well-known/agent-card.json',
      protocolVersions: ['0.3'],
      auth: { scheme: 'Header', header: 'X-API-Key', secretKeyRef: { name: 'peer', key: 'token' } },
      tls: { caConfigMapKeyRef: { name: 'ca', key: 'ca.crt' }, serverName: 'agents.example.com' },
      retries: { limit: 0, statuses: [], lostAnswer: 'Resend' },
      resources: { requests: { cpu: '10m' } },
    },
    parameters: [{ name: 'topic' }],
    schedule: { cron: '@daily' },
    tier: 'heavy',
  });
  t.true(whole.ok, whole.text);
});
