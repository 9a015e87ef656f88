// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { Agent } from 'undici';
import { exchange, type WholeAnswer } from './exchange.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

interface Reach {
  readonly server: Server;
  /** Paths that the server has heard of. */
  readonly heard: readonly string[];
  readonly send: (
    path: string,
    limits?: { readonly signal?: AbortSignal; readonly maxBytes?: number },
  ) => Promise<WholeAnswer>;
  /** Statuses of answers that have begun. */
  readonly begun: readonly number[];
}

/** A server that answers so, and one connection to it. */
async function reach(t: ExecutionContext, answer: Answer): Promise<Reach> {
  const heard: string[] = [];
  const begun: number[] = [];
  const server = createServer((request, response) => {
    heard.push(request.url ?? '');
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const agent = new Agent({ connections: 1, pipelining: 1 });
  t.teardown(async () => {
    await agent.destroy();
    server.closeAllConnections();
    server.close();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    server,
    heard,
    begun,
    send: (path, { signal = new AbortController().signal, maxBytes = 1000 } = {}) =>
      exchange(
        agent,
        { origin, path, method: 'GET', headers: {}, body: null },
        {
          signal,
          maxBytes,
          onStart: (status) => begun.push(status),
          tooLarge: () => new Error('too large'),
        },
      ),
  };
}

test('an answer that comes in parts is whole, and those before it are none', async (t) => {
  const { send, begun } = await reach(t, (_, response) => {
    response.writeEarlyHints({ link: '</a>; rel=preload' });
    response.writeHead(201, { 'x-of': 'it' });
    response.write('one, ', () => response.write('two, ', () => response.end('three')));
  });
  const { status, headers, body } = await send('/parts');
  t.is(status, 201);
  t.is(headers['x-of'], 'it');
  t.is(body.toString('utf8'), 'one, two, three');
  t.deepEqual(begun, [201]);
});

test('an answer without a body is empty', async (t) => {
  const { send } = await reach(t, (_, response) => response.writeHead(204).end());
  t.is((await send('/none')).body.length, 0);
});

test('an answer beyond the limit is given up, and the next one is as it should be', async (t) => {
  const { send } = await reach(t, (request, response) => {
    if (request.url === '/endless') {
      const go = (): void => {
        if (!response.destroyed) response.write('x'.repeat(600), go);
      };
      go();
    } else response.end('x'.repeat(1000));
  });
  await t.throwsAsync(send('/endless'), { message: 'too large' });
  t.is((await send('/limit')).body.length, 1000);
});

test('who gives up while he waits for a connection is told at once, and nothing is sent', async (t) => {
  const held = Promise.withResolvers<ServerResponse>();
  const { send, heard, begun } = await reach(t, (request, response) => {
    if (request.url === '/first') held.resolve(response);
    else response.end('third');
  });
  const first = send('/first');
  const response = await held.promise;
  const giveUp = new AbortController();
  const second = send('/second', { signal: giveUp.signal });
  const third = send('/third');
  giveUp.abort(new Error('enough'));
  await t.throwsAsync(second, { message: 'enough' });
  t.deepEqual(heard, ['/first'], 'the only connection is still taken');
  response.end('first');
  t.is((await first).body.toString('utf8'), 'first');
  t.is((await third).body.toString('utf8'), 'third');
  t.deepEqual(heard, ['/first', '/third']);
  t.deepEqual(begun, [200, 200]);
});

test('who gives up while the answer comes is told at once, and the connection is closed', async (t) => {
  const gone = Promise.withResolvers<void>();
  const { send, begun } = await reach(t, (_, response) => {
    response.on('close', () => gone.resolve());
    response.write('some');
  });
  const giveUp = new AbortController();
  const answer = send('/slow', { signal: giveUp.signal });
  const refused = t.throwsAsync(answer, { message: 'enough' });
  while (begun.length === 0) await new Promise((resolve) => setImmediate(resolve));
  giveUp.abort(new Error('enough'));
  await refused;
  await gone.promise;
});

test('who had given up before sends nothing', async (t) => {
  const { send, heard } = await reach(t, (_, response) => response.end());
  await t.throwsAsync(send('/never', { signal: AbortSignal.abort(new Error('before')) }), {
    message: 'before',
  });
  await send('/after');
  t.deepEqual(heard, ['/after']);
});

test('a connection that breaks is an error, whatever had come', async (t) => {
  const { send } = await reach(t, (_, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('half', () => response.destroy());
  });
  await t.throwsAsync(send('/broken'));
});

test('where nobody listens it is an error, and no answer has begun', async (t) => {
  const { send, server, begun } = await reach(t, (_, response) => response.end());
  server.close();
  await once(server, 'close');
  await t.throwsAsync(send('/nobody'), { code: 'ECONNREFUSED' });
  t.deepEqual(begun, []);
});
