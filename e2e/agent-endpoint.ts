// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A message that came to an endpoint. */
export interface Received {
  readonly authorization: string | undefined;
  readonly message: {
    readonly messageId: string;
    readonly contextId?: string;
    readonly taskId?: string;
    readonly parts: readonly object[];
    readonly metadata: Readonly<Record<string, unknown>>;
  };
}

interface Call {
  readonly id: string;
  readonly method: string;
  readonly params: { readonly id?: string; readonly message?: Received['message'] };
}

/** An endpoint on loopback that speaks A2A 1.0: its tasks are as `ends` says, by how many messages it has taken; the last holds for all further ones. */
export async function startEndpoint(
  t: { teardown(undo: () => void): void },
  ends: readonly object[],
): Promise<{ readonly url: string; readonly received: readonly Received[] }> {
  const received: Received[] = [];
  const answer = ({ method, params }: Call, authorization: string | undefined): object => {
    if (method === 'SendMessage' && params.message !== undefined) {
      received.push({ authorization, message: params.message });
      const id = params.message.taskId ?? `task-${received.length}`;
      return { task: { id, contextId: 'c', status: { state: 'TASK_STATE_WORKING' } } };
    }
    const end = ends[Math.min(received.length, ends.length) - 1];
    return { id: params.id, contextId: 'c', ...end };
  };
  const server = createServer((request, response) => {
    void callIn(request).then(({ id, ...call }) => {
      const result = answer({ id, ...call }, request.headers.authorization);
      response.setHeader('content-type', 'application/json');
      return response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/a2a`, received };
}

async function callIn(request: IncomingMessage): Promise<Call> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as Call;
}
