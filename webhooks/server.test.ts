// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request as send } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { createAuthority, issue } from '#hack/cluster/certificates';
import { eventually } from '#hack/tools/eventually';
import { createLog } from '#operator/telemetry/log';
import { MetricFactory, textOf } from '#operator/telemetry/metric';
import { admissionMetrics } from './metrics.ts';
import { ALLOWED, type Answer } from './review.ts';
import { MAX_BODY_BYTES, type ServedPair, WebhookServer, type WebhookServerOptions } from './server.ts';

const AUTHORITY = createAuthority('test', new Date());
const CA = AUTHORITY.pair.certificate;

function pairOf(commonName: string): ServedPair {
  return issue(AUTHORITY, { commonName, usages: ['server', 'client'], hosts: ['127.0.0.1'] }, new Date());
}

async function serve(
  t: ExecutionContext,
  choice: Partial<WebhookServerOptions> = {},
): Promise<WebhookServer> {
  const server = await WebhookServer.start({
    host: '127.0.0.1',
    port: 0,
    pair: pairOf('first'),
    decide: () => Promise.resolve(ALLOWED),
    deadlineMs: 5000,
    maxInFlight: 100,
    metrics: admissionMetrics(new MetricFactory()),
    log: createLog({ level: 'silent' }),
    ...choice,
  });
  t.teardown(() => server.close(0));
  return server;
}

const UID = '5f2a9c01-d3aa';

function review(more: object = {}): Buffer {
  return Buffer.from(
    JSON.stringify({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      request: {
        uid: UID,
        kind: { group: '', version: 'v1', kind: 'Pod' },
        resource: { group: '', version: 'v1', resource: 'pods' },
        operation: 'CREATE',
        userInfo: { username: 'jane' },
        object: { metadata: { name: 'a' } },
        ...more,
      },
    }),
  );
}

interface Reply {
  readonly status: number;
  readonly connection: string | undefined;
  readonly text: string;
}

interface Ask {
  readonly path?: string;
  readonly method?: string;
  readonly agent?: Agent;
  readonly client?: ServedPair;
}

async function ask(server: WebhookServer, body: Buffer, choice: Ask = {}): Promise<Reply> {
  const { path = '/validate', method = 'POST', agent, client } = choice;
  const request = send({
    host: '127.0.0.1',
    port: server.port,
    path,
    method,
    ca: CA,
    agent: agent ?? false,
    headers: { 'content-length': body.length },
    ...(client !== undefined && { cert: client.certificate, key: client.key }),
  });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return {
    status: response.statusCode ?? 0,
    connection: response.headers.connection,
    text: Buffer.concat(chunks).toString(),
  };
}

function responseOf({ text }: Reply) {
  return (
    JSON.parse(text) as {
      response: { uid: string; allowed: boolean; status?: { code: number; message: string } };
    }
  ).response;
}

test('a question is answered under its uid', async (t) => {
  const server = await serve(t);
  const reply = await ask(server, review());
  t.is(reply.status, 200);
  t.deepEqual(responseOf(reply), { uid: UID, allowed: true });
});

const NO_REVIEWS: Readonly<
  Record<string, { readonly body: Buffer; readonly ask?: Ask; readonly want: number }>
> = {
  'another path': { body: review(), ask: { path: '/admit' }, want: 404 },
  'a question that is none': { body: Buffer.alloc(0), ask: { method: 'GET' }, want: 404 },
  'no JSON and no uid': { body: Buffer.from('hello'), want: 400 },
};

for (const [title, { body, ask: how, want }] of Object.entries(NO_REVIEWS)) {
  test(`told by HTTP alone, and the connection ends: ${title}`, async (t) => {
    const agent = new Agent({ keepAlive: true });
    t.teardown(() => agent.destroy());
    t.like(await ask(await serve(t), body, { ...how, agent }), { status: want, connection: 'close' });
  });
}

test('half a review is refused under its uid', async (t) => {
  const reply = await ask(await serve(t), review().subarray(0, 120));
  t.like(responseOf(reply), { uid: UID, allowed: false, status: { code: 400 } });
});

test('more than is judged at most is refused under its uid, and the connection ends', async (t) => {
  const server = await serve(t);
  const body = review({ object: { metadata: { name: 'a' }, data: 'x'.repeat(MAX_BODY_BYTES) } });
  const reply = await ask(server, body);
  t.like(responseOf(reply), { uid: UID, allowed: false, status: { code: 413 } });
  t.is(reply.connection, 'close');
  t.is((await ask(server, review())).status, 200);
});

test('what is as large as it may be is judged', async (t) => {
  const server = await serve(t);
  const rest = MAX_BODY_BYTES - review({ object: { metadata: {}, data: '' } }).length;
  const body = review({ object: { metadata: {}, data: 'x'.repeat(rest) } });
  t.is(body.length, MAX_BODY_BYTES);
  t.true(responseOf(await ask(server, body)).allowed);
});

test('an answer comes when the API server is about to give up, whoever does not decide', async (t) => {
  const reasons: unknown[] = [];
  const decide: WebhookServerOptions['decide'] = (_, { signal }) => {
    signal.addEventListener('abort', () => reasons.push(signal.reason));
    return new Promise(() => undefined);
  };
  const server = await serve(t, { decide });
  const reply = await ask(server, review(), { path: '/validate?by=us&timeout=1s&more' });
  t.like(responseOf(reply), {
    allowed: false,
    status: { code: 504, message: 'timeout: the request was not judged within 850 ms; try again' },
  });
  t.deepEqual(reasons, ['the request is over'], 'no error is made for it, which has a stack');
});

test('only where something may still be under way it is told that nobody waits', async (t) => {
  const signals: AbortSignal[] = [];
  const outcomes = [() => Promise.resolve(ALLOWED), () => Promise.reject(new Error('fault'))];
  const decide: WebhookServerOptions['decide'] = (_, { signal }) => {
    const outcome = outcomes[signals.push(signal) - 1];
    return outcome?.() ?? new Promise(() => undefined);
  };
  const server = await serve(t, { decide, deadlineMs: 100 });
  const codes = [];
  for (let asked = 0; asked < 3; asked += 1) codes.push(responseOf(await ask(server, review())).status?.code);
  t.deepEqual(codes, [undefined, 500, 504]);
  t.deepEqual(
    signals.map(({ aborted }) => aborted),
    [false, true, true],
  );
});

test('an answer is as long as it says, whatever is said in it', async (t) => {
  const warnings = ['größer als erwartet \u{1F600}'];
  const server = await serve(t, { decide: () => Promise.resolve({ ...ALLOWED, warnings }) });
  const reply = await ask(server, review());
  t.like(responseOf(reply), { allowed: true, warnings });
});

test('a fault of ours refuses, and tells nothing of itself', async (t) => {
  const server = await serve(t, { decide: () => Promise.reject(new Error('secret')) });
  const reply = await ask(server, review());
  t.like(responseOf(reply), { allowed: false, status: { code: 500 } });
  t.notRegex(reply.text, /secret/);
});

/** Decides nothing until it is told to, and tells how many have asked. */
function undecided() {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  let count = 0;
  const decide = (): Promise<Answer> => {
    count += 1;
    return promise;
  };
  return { decide, resolve, asked: () => count };
}

test('more questions than are worked on at a time are told to come again, at once', async (t) => {
  const { decide, resolve, asked } = undecided();
  const server = await serve(t, { decide, maxInFlight: 3 });
  const first = Array.from({ length: 3 }, () => ask(server, review()));
  await eventually('all are being worked on', () => asked() === 3);
  const reply = await ask(server, review());
  t.like(responseOf(reply), { uid: UID, allowed: false, status: { code: 429 } });
  t.regex(responseOf(reply).status?.message ?? '', /rate_limited: .*more than 3 requests.*try again/);
  resolve(ALLOWED);
  for (const one of await Promise.all(first)) t.true(responseOf(one).allowed);
  t.true(responseOf(await ask(server, review())).allowed);
});

test('who reads the figures is told what is under way at that moment', async (t) => {
  const factory = new MetricFactory();
  const { decide, resolve, asked } = undecided();
  const figures = async (): Promise<readonly number[]> => {
    const text = await textOf(factory.registry);
    return ['in_flight', 'held_bytes'].map((name) =>
      Number(new RegExp(`^nexusos_admission_${name} (.*)$`, 'm').exec(text)?.[1]),
    );
  };
  const server = await serve(t, { decide, metrics: admissionMetrics(factory) });
  const bodies = [review(), review({ name: 'a longer one' })];
  const replies = bodies.map((body) => ask(server, body));
  await eventually('both are being worked on', () => asked() === 2);
  t.deepEqual(await figures(), [2, bodies.reduce((sum, { length }) => sum + length, 0)]);
  resolve(ALLOWED);
  await Promise.all(replies);
  await eventually('nothing is under way', async () => (await figures()).every((figure) => figure === 0));
  t.pass();
});

async function subjectSeen(server: WebhookServer): Promise<string> {
  const socket: TLSSocket = connect({ host: '127.0.0.1', port: server.port, ca: CA });
  await once(socket, 'secureConnect');
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

test('another certificate is for new connections, and those that are open go on', async (t) => {
  const server = await serve(t);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  t.true(responseOf(await ask(server, review(), { agent })).allowed);
  t.is(await subjectSeen(server), 'first');
  server.replacePair(pairOf('second'));
  t.is(await subjectSeen(server), 'second');
  t.true(responseOf(await ask(server, review(), { agent })).allowed);
  t.is(Object.values(agent.freeSockets).flat().length, 1);
  t.throws(() => server.replacePair({ certificate: 'none', key: 'none' }));
  t.is(await subjectSeen(server), 'second');
});

test('where clients have to show a certificate, who has none is not served', async (t) => {
  const server = await serve(t, { clientCa: CA });
  await t.throwsAsync(ask(server, review()));
  t.is((await ask(server, review(), { client: pairOf('kube-apiserver') })).status, 200);
  const stranger = createAuthority('stranger', new Date());
  const client = issue(stranger, { commonName: 'x', usages: ['client'] }, new Date());
  await t.throwsAsync(ask(server, review(), { client }));
});

test('who is to end answers what is asked, and has each connection end with its answer', async (t) => {
  const { decide, resolve, asked } = undecided();
  const server = await serve(t, { decide });
  const first = ask(server, review());
  await eventually('it is being worked on', () => asked() === 1);
  server.drain();
  const later = ask(server, review());
  await eventually('the other one is, too', () => asked() === 2);
  resolve(ALLOWED);
  for (const reply of await Promise.all([first, later])) t.true(responseOf(reply).allowed);
  t.is((await later).connection, 'close');
  await server.close(1000);
  await t.throwsAsync(ask(server, review()));
});

test('who stays silent is not waited for when it ends', async (t) => {
  const { decide, asked } = undecided();
  const server = await serve(t, { decide });
  const first = ask(server, review()).catch(() => 'cut off');
  await eventually('it is being worked on', () => asked() === 1);
  await server.close(100);
  t.is(await first, 'cut off');
});

/** A request whose body never comes to an end: so many bytes of it, and nothing more. */
function slowBody(t: ExecutionContext, server: WebhookServer, bytes: number): Promise<void> {
  const request = send({
    host: '127.0.0.1',
    port: server.port,
    path: '/validate',
    method: 'POST',
    ca: CA,
    agent: false,
    headers: { 'content-length': bytes + 1 },
  });
  request.on('error', () => undefined);
  t.teardown(() => request.destroy());
  request.write(Buffer.concat([review().subarray(0, 100), Buffer.alloc(Math.max(0, bytes - 100), 0x20)]));
  return once(request, 'close').then(() => undefined);
}

test('bodies that are held are bounded: what is too much is told under its uid, and room comes again', async (t) => {
  const intake = { heldBytes: 4_000_000, heldBytesPerPeer: 4_000_000, requestMs: 4000 };
  const factory = new MetricFactory();
  const server = await serve(t, { intake, metrics: admissionMetrics(factory) });
  const held = async () => Number(/held_bytes (\d+)/.exec(await factory.registry.metrics())?.[1] ?? 0);
  const slow = Array.from({ length: 3 }, () => slowBody(t, server, 1_250_000));
  const large = review({ object: { metadata: { name: 'a' }, data: 'x'.repeat(1_000_000) } });
  const told = await eventually('there is no room', async () => {
    const reply = await ask(server, large);
    return reply.status === 200 && responseOf(reply).allowed ? undefined : reply;
  });
  t.like(responseOf(told), { uid: UID, allowed: false, status: { code: 429 } });
  t.regex(responseOf(told).status?.message ?? '', /holds as many bytes .* try again/);
  t.is(told.connection, 'close');
  t.like(responseOf(await ask(server, review())), { allowed: true }, 'what is small has room');
  await Promise.all(slow);
  t.like(responseOf(await ask(server, large)), { allowed: true });
  await eventually('all is let go', async () => ((await held()) === 0 ? true : undefined));
});

test('who sends slowly turns nobody away, and is given up', async (t) => {
  const server = await serve(t, { maxInFlight: 2, intake: { requestMs: 4000 } });
  const slow = Array.from({ length: 20 }, () => slowBody(t, server, 200));
  for (let index = 0; index < 10; index += 1) {
    const reply = await ask(server, review());
    t.deepEqual(responseOf(reply), { uid: UID, allowed: true });
  }
  // They would send for longer than a test may take.
  await Promise.all(slow);
});

test('who connects and says nothing is given up, before and after the handshake', async (t) => {
  const server = await serve(t, { intake: { handshakeMs: 3000, headersMs: 3000 } });
  const mute = connectPlain(server.port, '127.0.0.1');
  const greeted = connect({ port: server.port, host: '127.0.0.1', ca: CA });
  await once(greeted, 'secureConnect');
  greeted.write('POST /validate HTTP/1.1\r\nhost: a\r\n');
  const ends = [mute, greeted].map((socket) => {
    socket.on('error', () => undefined);
    socket.resume();
    return once(socket, 'close');
  });
  await Promise.all(ends);
  t.like(responseOf(await ask(server, review())), { allowed: true });
});

test('connections of one peer are bounded, and those that are open go on', async (t) => {
  const factory = new MetricFactory();
  const server = await serve(t, { intake: { connectionsPerPeer: 3 }, metrics: admissionMetrics(factory) });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  t.is((await ask(server, review(), { agent })).status, 200);
  const others = Array.from({ length: 20 }, () => connectPlain(server.port, '127.0.0.1'));
  t.teardown(() => others.forEach((one) => one.destroy()));
  let closed = 0;
  for (const one of others) {
    one.on('error', () => undefined);
    one.resume().once('close', () => (closed += 1));
  }
  await eventually('those that are too many are closed', async () => (closed >= 18 ? true : undefined));
  t.is((await ask(server, review(), { agent })).status, 200);
  t.regex(await factory.registry.metrics(), /connections_refused_total{why="peer"} 18/);
  others.forEach((one) => one.destroy());
  const again = await eventually('there is room again', () => ask(server, review()).catch(() => undefined));
  t.is(again.status, 200);
});
