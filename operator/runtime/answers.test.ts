// SPDX-License-Identifier: Apache-2.0
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import { Outbound } from '../sources/outbound.ts';
import { LoopShare } from './loop-share.ts';
import { createTransport } from './transport.ts';
import { watchEvents } from './watch-stream.ts';

const ANSWERS = 24;
const SLICE_MS = 3;
/** The one that is under way when the share is over, and one that has begun before. */
const MOST = SLICE_MS + 2;

function rulesOf() {
  return { isPrivate: true, isPlainHttp: true } as const;
}

/** A server that answers nobody until so many have asked: then all of them at one moment. */
async function serveTogether(t: ExecutionContext, together: number): Promise<string> {
  const waiting: ServerResponse[] = [];
  const server = createServer((_, response) => {
    waiting.push(response);
    if (waiting.length >= together) for (const one of waiting.splice(0)) one.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.closeAllConnections());
  t.teardown(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Sends all at once; with each answer goes a millisecond of work. Returns how many were worked on in each turn of the loop. */
async function workedOn(
  clock: { ms: number },
  count: number,
  send: (path: string) => Promise<unknown>,
): Promise<readonly number[]> {
  const turns = [0];
  let isOver = false;
  const turn = (): void => {
    turns.push(0);
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  const work = async (_: unknown, number: number): Promise<void> => {
    await send(`/${number}`);
    clock.ms += 1;
    turns[turns.length - 1] = (turns.at(-1) ?? 0) + 1;
  };
  await Promise.all(Array.from({ length: count }, work));
  isOver = true;
  return turns;
}

function credentialsFor(server: string) {
  return {
    server,
    tls: () => Promise.resolve({}),
    authorization: () => Promise.resolve(undefined),
    refresh: () => undefined,
  };
}

test('of answers of the API server that come at one moment no more are worked on in a turn than is their share', async (t) => {
  const clock = { ms: 0 };
  const server = await serveTogether(t, ANSWERS);
  const share = new LoopShare(() => clock.ms, SLICE_MS);
  const transport = createTransport({ credentials: credentialsFor(server), share });
  t.teardown(() => transport.close());
  const turns = await workedOn(clock, ANSWERS, (path) => transport.request({ verb: 'get', path }));
  t.true(Math.max(...turns) <= MOST, `${Math.max(...turns)} in a turn of ${SLICE_MS}`);
  t.is(
    turns.reduce((all, one) => all + one, 0),
    ANSWERS,
  );
});

test('the lease is renewed while others wait for their share', async (t) => {
  const share = new LoopShare(() => 0, 0);
  const server = await serveTogether(t, 1);
  const transport = createTransport({ credentials: credentialsFor(server), share });
  t.teardown(() => transport.close());
  // Nobody ever has a share of no time at all, but one in a turn.
  const waits = Array.from({ length: 10_000 }, () => share.rest());
  await transport.request({ verb: 'get', path: '/lease', isUrgent: true });
  let gone = 0;
  for (const one of waits) void one.then(() => (gone += 1));
  await Promise.resolve();
  t.true(gone < waits.length, `${gone} of ${waits.length} went ahead of it`);
});

test('of answers of registries that come at one moment no more are worked on in a turn than is their share', async (t) => {
  const clock = { ms: 0 };
  // As many connections as there are to one host.
  const together = 8;
  const server = await serveTogether(t, together);
  const share = new LoopShare(() => clock.ms, SLICE_MS);
  const outbound = new Outbound({ rulesOf, maxRedirects: 0, share });
  t.teardown(() => outbound.close());
  const { signal } = new AbortController();
  const asked = { method: 'GET', headers: {}, maxBytes: 100, signal } as const;
  const turns = await workedOn(clock, together, (path) =>
    outbound.send({ ...asked, url: new URL(path, server) }),
  );
  t.true(Math.max(...turns) <= MOST, `${Math.max(...turns)} in a turn of ${SLICE_MS}`);
  t.is(
    turns.reduce((all, one) => all + one, 0),
    together,
  );
});

test('of events of a watch that come at one moment no more are read in a turn than is their share, in their order', async (t) => {
  const clock = { ms: 0 };
  const share = new LoopShare(() => clock.ms, SLICE_MS);
  const names = Array.from({ length: 60 }, (_, number) => `pod-${number}`);
  const lines = names.map((name) => JSON.stringify({ type: 'ADDED', object: { metadata: { name } } }));
  const bytes = Buffer.from(`${lines.join('\n')}\n`);
  // Two reads of one socket, with an object in both.
  const stream = Readable.from([bytes.subarray(0, 1000), bytes.subarray(1000)]);
  const events = watchEvents(stream, () => share.rest('watch pods'));
  const read: string[] = [];
  const turns = await workedOn(clock, names.length, async () => {
    const { value } = await events.next();
    if (value?.type === 'put') read.push(value.object.metadata.name);
  });
  t.true(Math.max(...turns) <= MOST, `${Math.max(...turns)} in a turn of ${SLICE_MS}`);
  t.deepEqual(read, names);
});
