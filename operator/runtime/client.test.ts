// SPDX-License-Identifier: Apache-2.0
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { attachCluster } from '#hack/cluster/attach';
import { temporaryFolder } from '#hack/tools/testing/temporary-folder';
import type { KubeObject } from '../core/object.ts';
import { createMetrics, type RequestVerb } from '../telemetry/metrics.ts';
import { ApiError } from './api-error.ts';
import { type Client, createClient } from './client.ts';
import { fileCredentials, inClusterCredentials, kubeconfigCredentials } from './credentials.ts';
import { FaultProxy, type Fault } from './testing/fault-proxy.ts';
import { sumOf } from './testing/rig.ts';
import { CONFIG_MAPS, createWidgetWorld } from './testing/widgets.ts';
import type { TransportOptions } from './transport.ts';

const KUBE_SYSTEM = { namespace: 'kube-system', name: 'extension-apiserver-authentication' };

interface Reach {
  readonly client: Client;
  readonly proxy: FaultProxy;
}

async function reach(t: ExecutionContext, options: Partial<TransportOptions> = {}): Promise<Reach> {
  const { kubeconfigPath } = await attachCluster();
  const proxy = await FaultProxy.start(await kubeconfigCredentials({ paths: [kubeconfigPath] }));
  const client = createClient({ credentials: proxy.credentials, ...options });
  t.teardown(async () => {
    await client.close();
    await proxy.close();
  });
  return { client, proxy };
}

async function refusalOf(promise: Promise<unknown>): Promise<ApiError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof ApiError) return error;
  throw new Error('expected an ApiError', { cause: error });
}

test('many requests share few connections', async (t) => {
  const { client, proxy } = await reach(t);
  for (let i = 0; i < 50; i += 1) await client.get(CONFIG_MAPS, KUBE_SYSTEM);
  // undici frees a connection one turn of the event loop after its answer, and the next request is there before: they take turns.
  t.true(proxy.connectionCount <= 2, `${proxy.connectionCount} connections`);
  await Promise.all(Array.from({ length: 200 }, () => client.get(CONFIG_MAPS, KUBE_SYSTEM)));
  t.true(proxy.connectionCount <= 32, `${proxy.connectionCount} connections`);
});

interface RetryCase {
  readonly fault: Fault;
  readonly verb: RequestVerb;
  /** How often the request is sent while the fault lasts. */
  readonly wantSent: number;
}

const RETRIES: Record<string, RetryCase> = {
  'a read that is answered 500 is repeated': {
    fault: { kind: 'answer', status: 500 },
    verb: 'get',
    wantSent: 4,
  },
  'a read that is cut is repeated': { fault: { kind: 'cutBefore' }, verb: 'get', wantSent: 4 },
  'an apply that is answered 503 is repeated': {
    fault: { kind: 'answer', status: 503 },
    verb: 'patch',
    wantSent: 4,
  },
  'a creation that may have taken effect is not repeated': {
    fault: { kind: 'cutAfter' },
    verb: 'create',
    wantSent: 1,
  },
  'a creation that was turned away is repeated': {
    fault: { kind: 'answer', status: 429 },
    verb: 'create',
    wantSent: 4,
  },
  'what is forbidden is not repeated': { fault: { kind: 'answer', status: 403 }, verb: 'get', wantSent: 1 },
  'a conflict is not repeated': { fault: { kind: 'answer', status: 409 }, verb: 'update', wantSent: 1 },
  'who is not known is asked for credentials once more': {
    fault: { kind: 'answer', status: 401 },
    verb: 'get',
    wantSent: 2,
  },
  'told to come back much later, the caller is told so': {
    fault: { kind: 'answer', status: 429, headers: { 'retry-after': '60' } },
    verb: 'get',
    wantSent: 1,
  },
};

for (const [sentence, { fault, verb, wantSent }] of Object.entries(RETRIES)) {
  test(sentence, async (t) => {
    const { client, proxy } = await reach(t);
    proxy.inject(fault, () => true, 100);
    const path = '/api/v1/namespaces/default/configmaps/none';
    await refusalOf(client.raw({ verb, path, body: verb === 'get' ? undefined : {} }));
    t.is(proxy.requests.length, wantSent);
  });
}

test('a list is asked for as often, and for as long, as its caller says', async (t) => {
  const { client, proxy } = await reach(t, { timeoutMs: 3_600_000 });
  const listOnce = (timeoutMs: number) =>
    refusalOf(client.list(CONFIG_MAPS, { effort: { attempts: 1, timeoutMs } }).next());
  const outage = proxy.inject({ kind: 'answer', status: 503 }, () => true, 100);
  t.is((await listOnce(3_600_000)).status, 503);
  t.is(outage.times, 99);
  outage.times = 0;
  proxy.inject({ kind: 'delay', delayMs: 3_600_000 }, () => true, 100);
  t.is((await listOnce(200)).status, 0);
});

test('a request ends in time, and says so', async (t) => {
  const { client, proxy } = await reach(t, { timeoutMs: 200, attempts: 1 });
  proxy.inject({ kind: 'delay', delayMs: 60_000 }, () => true, 100);
  // The answer that comes in the end is another.
  t.like(await refusalOf(client.get(CONFIG_MAPS, KUBE_SYSTEM)), { code: 'timeout', status: 0 });
});

test('an answer beyond the limit is refused', async (t) => {
  const { client } = await reach(t, { maxResponseBytes: 100, attempts: 1 });
  t.regex((await refusalOf(client.get(CONFIG_MAPS, KUBE_SYSTEM))).message, /larger than 100 bytes/);
});

test('the fence is asked before every sending, retries included, and for writes only', async (t) => {
  const { client, proxy } = await reach(t);
  let asked = 0;
  const fenced = client.withFence(() => {
    asked += 1;
    if (asked > 2) throw new Error('not any more');
    return 60_000;
  });
  proxy.inject({ kind: 'answer', status: 500 }, (seen) => seen.method === 'PUT', 100);
  const path = '/api/v1/namespaces/default/configmaps/none';
  await t.throwsAsync(fenced.raw({ verb: 'update', path, body: {} }), { message: 'not any more' });
  t.is(proxy.requests.length, 2);
  await fenced.get(CONFIG_MAPS, KUBE_SYSTEM);
  t.is(asked, 3);
});

test('a write that waits for its turn or its answer is given up when the right to write runs out', async (t) => {
  const { client, proxy } = await reach(t, { connections: 1 });
  // The connection is made before the right begins to run out.
  await client.get(CONFIG_MAPS, KUBE_SYSTEM);
  const endsAtMs = performance.now() + 3000;
  const fenced = client.withFence(() => {
    const leftMs = endsAtMs - performance.now();
    if (leftMs <= 0) throw new Error('not any more');
    return leftMs;
  });
  proxy.inject({ kind: 'delay', delayMs: 30_000 }, () => true, 100);
  const paths = ['first', 'second'].map((name) => `/api/v1/namespaces/default/configmaps/${name}`);
  const writes = paths.map((path) => fenced.raw({ verb: 'update', path, body: {} }));
  for (const write of writes) await t.throwsAsync(write, { message: 'not any more' });
  t.false(
    proxy.requests.some(({ path }) => path.endsWith('/second')),
    'the one that waited was never sent',
  );
});

test('a write that is slow goes on while the right to write is renewed', async (t) => {
  const { client, proxy } = await reach(t, { attempts: 1 });
  let asked = 0;
  const fenced = client.withFence(() => {
    asked += 1;
    return 100;
  });
  proxy.inject({ kind: 'delay', delayMs: 1000 }, (seen) => seen.method === 'PUT', 1);
  const body = { metadata: { name: 'none', namespace: 'default' } };
  const path = '/api/v1/namespaces/default/configmaps/none';
  t.is((await refusalOf(fenced.raw({ verb: 'update', path, body }))).status, 404);
  t.true(asked > 2, `asked ${asked} times`);
});

test('what is not there is undefined, and a kind that is not served is an error', async (t) => {
  const { client } = await reach(t);
  t.is(await client.get(CONFIG_MAPS, { namespace: 'default', name: 'none' }), undefined);
  const unserved = { apiVersion: 'none.dev/v1', kind: 'None', plural: 'nones', namespaced: true };
  t.is((await refusalOf(client.get(unserved, { namespace: 'default', name: 'none' }))).code, 'not_found');
  t.is((await refusalOf(client.resourceOf('v1', 'None'))).reason, 'NoKindMatch');
  t.like(await client.resourceOf('apps/v1', 'Deployment'), { plural: 'deployments', namespaced: true });
});

for (const kind of ['built in', 'a custom one'] as const) {
  test(`an apply of a field that the kind does not have is refused: ${kind}`, async (t) => {
    const world = await createWidgetWorld((await attachCluster()).kubeconfigPath);
    t.teardown(() => world.close());
    const resource = kind === 'built in' ? CONFIG_MAPS : world.widgets;
    const { apiVersion } = resource;
    const metadata = { name: 'a', namespace: world.namespace };
    const fields = kind === 'built in' ? { data: {}, datum: 'x' } : { spec: { copies: 1, copise: 1 } };
    const object = { apiVersion, kind: resource.kind, metadata, ...fields };
    const refusal = await refusalOf(world.client.apply(resource, object, 'test'));
    t.regex(refusal.message, /field not declared in schema/);
  });
}

test('a list comes in pages that are sized by bytes, and complete', async (t) => {
  const { kubeconfigPath } = await attachCluster();
  const world = await createWidgetWorld(kubeconfigPath);
  t.teardown(() => world.close());
  const { client, namespace } = world;
  const names = Array.from({ length: 150 }, (_, i) => `big-${i}`);
  const make = (name: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace, name, labels: { big: 'yes' } },
    data: { text: 'x'.repeat(50_000) },
  });
  await Promise.all(names.map((name) => client.create(CONFIG_MAPS, make(name), 'test')));
  const pages: number[] = [];
  const got: string[] = [];
  for await (const page of client.list(CONFIG_MAPS, { namespace, labelSelector: 'big=yes' })) {
    pages.push(page.items.length);
    got.push(...page.items.map((one) => one.metadata.name));
    t.is(page.items[0]?.kind, 'ConfigMap');
  }
  t.deepEqual(got.toSorted(), names.toSorted());
  t.deepEqual(pages, [100, 20, 20, 10], 'pages of about a megabyte, after the first');
  const { value } = await client.list(CONFIG_MAPS, { namespace, metadataOnly: true }).next();
  t.is(value?.items[0]?.['data'], undefined);
});

test('objects that grow along a list are read in smaller pages, from where they began', async (t) => {
  const world = await createWidgetWorld((await attachCluster()).kubeconfigPath);
  t.teardown(() => world.close());
  const { client, proxy } = await reach(t, { maxResponseBytes: 2 * 1024 * 1024 });
  const { namespace } = world;
  const names = Array.from({ length: 200 }, (_, i) => `${i < 100 ? 'a-small' : 'b-large'}-${i}`);
  const make = (name: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace, name, labels: { grows: 'yes' } },
    data: { text: 'x'.repeat(name.startsWith('b') ? 60_000 : 10) },
  });
  await Promise.all(names.map((name) => world.client.create(CONFIG_MAPS, make(name), 'test')));
  const pages: number[] = [];
  const got: string[] = [];
  for await (const page of client.list(CONFIG_MAPS, { namespace, labelSelector: 'grows=yes' })) {
    pages.push(page.items.length);
    got.push(...page.items.map((one) => one.metadata.name));
  }
  t.deepEqual(got.toSorted(), names.toSorted());
  t.deepEqual(pages.slice(0, 2), [100, 25], 'asked were 100, 200, 100, 50, 25');
  t.is(proxy.requests.length, pages.length + 3, 'what was too large is not asked for again');
});

test('a token that was replaced is read again when the API server does not know the old one', async (t) => {
  const cluster = await attachCluster();
  const folder = await temporaryFolder(t, 'token');
  const [tokenFile, caFile] = [join(folder, 'token'), join(folder, 'ca.crt')];
  await writeFile(tokenFile, 'an.old.token');
  await writeFile(caFile, Buffer.from(cluster.caData, 'base64'));
  const metrics = createMetrics();
  const client = createClient({
    credentials: fileCredentials({ server: cluster.url, tokenFile, caFile, recheckMs: 3_600_000 }),
    metrics,
  });
  t.teardown(() => client.close());
  const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
  const ask = () =>
    client.raw({
      verb: 'create',
      path,
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
    });
  t.is((await refusalOf(ask())).code, 'unauthorized');
  await writeFile(tokenFile, await cluster.serviceAccountToken('default', 'default'));
  const review = (await ask()) as { status: { userInfo: { username: string } } };
  t.is(review.status.userInfo.username, 'system:serviceaccount:default:default');
  t.is(await sumOf(metrics, 'nexusos_api_requests_total', 'code="4xx"'), 2);
});

test('a token is not sent in clear over a network', (t) => {
  const options = { tokenFile: '/nowhere' };
  t.throws(() => fileCredentials({ ...options, server: 'http://10.0.0.1:8080' }), { message: /refusing/ });
  t.notThrows(() => fileCredentials({ ...options, server: 'http://127.0.0.1:8080' }));
});

test('in a pod, the address comes from the environment', (t) => {
  const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
  t.is(inClusterCredentials(env).server, 'https://[fd00::1]:443');
  t.throws(() => inClusterCredentials({}), { message: /not in a pod/ });
});
