// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request as send } from 'node:https';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect } from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { createAuthority, issue } from '#hack/cluster/certificates';
import { eventually } from '#hack/tools/eventually';
import { createLog } from '#operator/telemetry/log';
import { MetricFactory } from '#operator/telemetry/metric';
import { admissionMetrics } from './metrics.ts';
import { ALLOWED } from './review.ts';
import { WebhookServer, type WebhookServerOptions } from './server.ts';

// Each address of loopback stands for a pod, or for the API server.
const API_SERVER = '127.0.0.1';
const AUTHORITY = createAuthority('test', new Date());
const PAIR = issue(AUTHORITY, { commonName: 'a', usages: ['server'], hosts: ['127.0.0.1'] }, new Date());
const ca = AUTHORITY.pair.certificate;
const REVIEW = Buffer.from(
  JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: '5f2a9c01-d3aa',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      operation: 'CREATE',
      userInfo: { username: 'jane' },
      object: { metadata: { name: 'a' } },
    },
  }),
);

interface World {
  readonly server: WebhookServer;
  readonly metrics: () => Promise<string>;
}

async function serve(t: ExecutionContext, choice: Partial<WebhookServerOptions>): Promise<World> {
  const factory = new MetricFactory();
  const server = await WebhookServer.start({
    host: '127.0.0.1',
    port: 0,
    pair: PAIR,
    decide: () => Promise.resolve(ALLOWED),
    deadlineMs: 25_000,
    maxInFlight: 100,
    metrics: admissionMetrics(factory),
    log: createLog({ level: 'silent' }),
    ...choice,
  });
  t.teardown(() => server.close(0));
  return { server, metrics: () => factory.registry.metrics() };
}

/** What is said to a review: its status and text. */
async function ask(
  { server }: World,
  { agent, from = API_SERVER, path = '/validate' }: { agent: Agent | false; from?: string; path?: string },
): Promise<{ readonly status: number; readonly text: string }> {
  const target = { host: '127.0.0.1', port: server.port, path, method: 'POST', ca };
  const headers = { 'content-length': REVIEW.length };
  const request = send({ ...target, agent, localAddress: from, headers });
  request.end(REVIEW);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() };
}

/** Connections of a pod that say nothing, and how many of them are still open. */
function mute(t: ExecutionContext, { server }: World, { from, count }: { from: string; count: number }) {
  return kept(
    t,
    Array.from({ length: count }, () =>
      connectPlain({ port: server.port, host: '127.0.0.1', localAddress: from }),
    ),
  );
}

/** Connections of a pod that have begun to send a body and go on with none of it. */
function slow(
  t: ExecutionContext,
  { server }: World,
  { from, count, bytes }: { from: string; count: number; bytes: number },
) {
  const sockets = Array.from({ length: count }, () => {
    const socket = connect({ port: server.port, host: '127.0.0.1', localAddress: from, ca } as object);
    socket.write(`POST /validate HTTP/1.1\r\nhost: a\r\ncontent-length: ${bytes + 1}\r\n\r\n`);
    socket.write(Buffer.alloc(bytes, 0x20));
    return socket;
  });
  return kept(t, sockets);
}

function kept(t: ExecutionContext, sockets: readonly Socket[]): () => number {
  for (const socket of sockets) socket.on('error', () => undefined).resume();
  t.teardown(() => sockets.forEach((one) => one.destroy()));
  return () => sockets.filter((one) => !one.closed && !one.destroyed).length;
}

const PODS = ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5', '127.0.0.6', '127.0.0.7'];
const PATIENT = { handshakeMs: 600_000, headersMs: 600_000, requestMs: 600_000 };

test('pods that take all connections keep no API server out, be they mute or slow', async (t) => {
  const world = await serve(t, { intake: { ...PATIENT, connections: 60, connectionsPerPeer: 20 } });
  const open = PODS.map((from, index) =>
    index % 2 === 0 ? mute(t, world, { from, count: 30 }) : slow(t, world, { from, count: 30, bytes: 10 }),
  );
  const sum = () => open.reduce((all, one) => all + one(), 0);
  await eventually('all is taken', () => Promise.resolve(sum() === 60 ? true : undefined));
  const agent = new Agent({ keepAlive: true, maxSockets: 6 });
  t.teardown(() => agent.destroy());
  const replies = await Promise.all(Array.from({ length: 30 }, () => ask(world, { agent })));
  t.true(replies.every(({ status, text }) => status === 200 && text.includes('"allowed":true')));
  await eventually('others made room', () => Promise.resolve(sum() === 54 ? true : undefined));
  t.regex(await world.metrics(), /connections_refused_total\{why="cut"\} (?:[6-9]|\d\d+)\n/);
  // The connections of the API server are its own: whoever comes later gets those of the largest pods.
  mute(t, world, { from: '127.0.0.8', count: 20 });
  const more = await Promise.all(Array.from({ length: 30 }, () => ask(world, { agent })));
  t.true(more.every(({ status }) => status === 200));
});

test('pods that fill all bytes make room for an API server', async (t) => {
  const intake = { ...PATIENT, heldBytes: 1_000_000, heldBytesPerPeer: 400_000 };
  const world = await serve(t, { intake });
  const open = PODS.map((from) => slow(t, world, { from, count: 4, bytes: 90_000 }));
  const held = async () => Number(/held_bytes (\d+)/.exec(await world.metrics())?.[1] ?? 0);
  await eventually('nearly all is held', async () => ((await held()) > 800_000 ? true : undefined));
  const replies = await Promise.all(Array.from({ length: 10 }, () => ask(world, { agent: false })));
  for (const { status, text } of replies) {
    t.is(status, 200);
    t.true(text.includes('"allowed":true'), text);
  }
  t.true(open.length === PODS.length);
});

test('who is one too many for its own share is told so while what it has is answered', async (t) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let asked = 0;
  const decide = async () => {
    asked += 1;
    await promise;
    return ALLOWED;
  };
  const world = await serve(t, { decide, maxInFlight: 256 });
  const agent = new Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  const first = Array.from({ length: 256 }, () => ask(world, { agent, path: '/validate?timeout=30s' }));
  await eventually('all places are taken', () => Promise.resolve(asked === 256 ? true : undefined));
  const told = await Promise.all(Array.from({ length: 200 }, () => ask(world, { agent })));
  t.true(told.every(({ status, text }) => status === 200 && text.includes('"code":429')));
  resolve();
  t.true((await Promise.all(first)).every(({ text }) => text.includes('"allowed":true')));
});
