// SPDX-License-Identifier: Apache-2.0
import { getEventListeners } from 'node:events';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { Agent } from 'undici';
import { answerTo, type Taking } from './answering.ts';

interface Served {
  readonly origin: string;
  readonly agent: Agent;
  /** How many were made. */
  readonly connections: () => number;
  readonly asked: string[];
}

async function serve(t: ExecutionContext, answer: RequestListener): Promise<Served> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    answer(request, response);
  });
  let connections = 0;
  server.on('connection', () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const agent = new Agent({ connections: 1, allowH2: false });
  t.teardown(async () => {
    await agent.destroy();
    server.closeAllConnections();
    server.close();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { origin, agent, connections: () => connections, asked };
}

function taking(more: Partial<Taking> = {}): Taking {
  const signal = AbortSignal.timeout(60_000);
  return { signal, maxBytes: 1000, isHead: false, isUnread: () => false, ...more };
}

function ask({ agent, origin }: Served, more: Partial<Taking> = {}, path = '/') {
  const method = more.isHead === true ? 'HEAD' : 'GET';
  return answerTo(agent, { origin, path, method }, taking(more));
}

test('an answer is its status, its headers and its bytes, hashed as they come', async (t) => {
  const served = await serve(t, (_, response) => {
    response.writeEarlyHints({ link: '</a>; rel=preload' });
    response.writeHead(202, { 'x-a': ['1', '2'] });
    response.write('hel');
    setImmediate(() => response.end('lo'));
  });
  const { status, headers, body } = await ask(served, { algorithm: 'sha256' });
  t.is(status, 202);
  t.deepEqual(headers['x-a'], ['1', '2']);
  t.is(headers['link'], undefined, 'what comes before an answer is none');
  t.is(body?.bytes.toString(), 'hello');
  t.is(body?.digest, 'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824');
});

/** Answers to `/` with so many bytes, announced or not, and to all else with nothing. */
function bytes(count: number, isAnnounced: boolean, status = 200): RequestListener {
  return ({ url }, response) => {
    if (url === '/') {
      if (isAnnounced) response.setHeader('content-length', count);
      response.writeHead(status);
      response.write(Buffer.alloc(1));
    }
    response.end(url === '/' ? Buffer.alloc(count - 1) : undefined);
  };
}

for (const isAnnounced of [true, false]) {
  const how = isAnnounced ? 'announced' : 'not announced';
  test(`more than is taken has no body and is not read to its end, ${how}`, async (t) => {
    const served = await serve(t, bytes(1001, isAnnounced));
    const { status, body } = await ask(served);
    t.deepEqual({ status, body }, { status: 200, body: undefined });
    t.is((await ask(served, {}, '/next')).status, 200);
    t.is(served.connections(), 2);
  });

  test(`as much as is taken is read, ${how}`, async (t) => {
    const served = await serve(t, bytes(1000, isAnnounced));
    t.is((await ask(served)).body?.bytes.length, 1000);
  });
}

test('the length of what is not sent is none that is too large', async (t) => {
  const served = await serve(t, (_, response) => void response.setHeader('content-length', 5000).end());
  t.is((await ask(served, { isHead: true })).body?.bytes.length, 0);
});

for (const [count, connections] of [
  [16 * 1024, 1],
  [16 * 1024 + 1, 2],
] as const) {
  test(`of ${count} bytes that nobody reads: connections ${connections}`, async (t) => {
    const served = await serve(t, bytes(count, false, 307));
    const { status, body } = await ask(served, { isUnread: (one) => one === 307 });
    t.deepEqual({ status, body }, { status: 307, body: undefined });
    await ask(served, {}, '/next');
    t.is(served.connections(), connections);
  });
}

test('what is given up while it waits for a connection is not sent', async (t) => {
  const open: ServerResponse[] = [];
  const served = await serve(t, (_, response) => void open.push(response));
  const first = ask(served, {}, '/first');
  const end = new AbortController();
  const second = ask(served, { signal: end.signal }, '/second');
  const third = ask(served, { signal: AbortSignal.abort(new Error('before')) }, '/third');
  await t.throwsAsync(third, { message: 'before' });
  while (served.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
  end.abort(new Error('nobody wants it'));
  await t.throwsAsync(second, { message: 'nobody wants it' });
  open.shift()?.end();
  await first;
  const last = ask(served, {}, '/last');
  while (served.asked.length < 2) await new Promise((resolve) => setImmediate(resolve));
  open.shift()?.end();
  await last;
  t.deepEqual(served.asked, ['/first', '/last']);
});

test('what is given up while it comes fails with the reason, and its connection ends', async (t) => {
  const end = new AbortController();
  const served = await serve(t, ({ url }, response) => {
    if (url === '/') response.write('a', () => end.abort(new Error('nobody wants it')));
    else response.end();
  });
  await t.throwsAsync(ask(served, { signal: end.signal }), { message: 'nobody wants it' });
  await ask(served, {}, '/next');
  t.is(served.connections(), 2);
});

test('an answer that breaks off is none', async (t) => {
  const served = await serve(t, (_, response) => {
    response.setHeader('content-length', 100);
    response.write('a', () => response.destroy());
  });
  await t.throwsAsync(ask(served), { code: 'UND_ERR_SOCKET' });
});

/** How a request ends, by what is served. What is given up while it comes has a signal of its own. */
const ENDS: Readonly<Record<string, RequestListener>> = {
  'an answer that is whole': (_, response) => response.end('a'),
  'an answer of which more comes than is taken': bytes(1001, false),
  'an answer that is announced as too large': bytes(1001, true),
  'a connection that breaks off': (_, response) => response.destroy(),
};

for (const [what, answer] of Object.entries(ENDS)) {
  test(`${what} leaves nothing on a signal that many requests share`, async (t) => {
    const { signal } = new AbortController();
    const served = await serve(t, answer);
    const asked = ask(served, { signal });
    t.is(getEventListeners(signal, 'abort').length, 1);
    await asked.catch(() => undefined);
    t.is(getEventListeners(signal, 'abort').length, 0);
  });
}
