// SPDX-License-Identifier: Apache-2.0
// The program as a process, against endpoints that are in trouble, or mean harm.
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import test from 'ava';
import type { RemoteAttempt } from '#crds/v1alpha1/remote-attempt';
import { createAuthority, issue } from '#hack/cluster/certificates';
import { eventually } from '#hack/tools/eventually';
import {
  after,
  attempt,
  type Answering,
  complete,
  completed,
  endpoint,
  fallSilent,
  hangUp,
  refuse,
  result,
  TASK,
  taking,
  working,
} from './testing/endpoint.ts';
import { startProgram } from './testing/program.ts';
import { reply } from './testing/server.ts';

interface Case {
  readonly answer: Answering;
  readonly retries?: Partial<RemoteAttempt['retries']>;
  readonly wantCode: number;
  readonly wantSaid?: RegExp;
  /** What was called, in order. */
  readonly wantSeen: readonly string[];
}

const SEND = 'SendMessage';
const LOOK = 'GetTask';

const cases: Record<string, Case> = {
  'too many requests at first: the message is sent again': {
    answer: after(2, refuse(429), complete),
    wantCode: 0,
    wantSeen: [SEND, SEND, SEND],
  },
  'too many requests for ever': {
    answer: refuse(429, { 'retry-after': '0' }),
    wantCode: 21,
    wantSaid: /answers 429/,
    wantSeen: [SEND, SEND, SEND, SEND],
  },
  'asked to wait longer than the attempt may take: it ends at once': {
    answer: refuse(429, { 'retry-after': '3600' }),
    wantCode: 21,
    wantSeen: [SEND],
  },
  '503 that says when to come again: the message was not taken': {
    answer: after(1, refuse(503, { 'retry-after': '0' }), complete),
    wantCode: 0,
    wantSeen: [SEND, SEND],
  },
  '503 of somebody on the way: nobody knows whether the message was taken': {
    answer: refuse(503),
    wantCode: 26,
    wantSaid: /nobody knows whether it was taken.*lostAnswer/,
    wantSeen: [SEND],
  },
  'a lost answer to the message: it is not sent twice': {
    answer: hangUp,
    wantCode: 26,
    wantSeen: [SEND],
  },
  'a lost answer, of an endpoint that tells messages by their id': {
    answer: after(1, hangUp, complete),
    retries: { lostAnswer: 'Resend' },
    wantCode: 0,
    wantSeen: [SEND, SEND],
  },
  'an endpoint that is silent: the time for one request ends it': {
    answer: fallSilent,
    wantCode: 26,
    wantSaid: /it took too long/,
    wantSeen: [SEND],
  },
  'lost answers and 502 while the task is looked at: it is looked at again': {
    answer: taking(after(1, hangUp, after(1, refuse(502), complete))),
    wantCode: 0,
    wantSeen: [SEND, LOOK, LOOK, LOOK],
  },
  'an endpoint that is gone while the task runs': {
    answer: taking(hangUp),
    wantCode: 28,
    wantSaid: /does not answer: .*; task task-1 may go on there/,
    wantSeen: [SEND, LOOK, LOOK, LOOK, LOOK],
  },
  'a task that is forgotten': {
    answer: taking(({ id }, response) =>
      reply(response, 200, { jsonrpc: '2.0', id, error: { code: -32001, message: 'no such task' } }),
    ),
    wantCode: 27,
    wantSaid: /has no task task-1 any more/,
    wantSeen: [SEND, LOOK],
  },
  'a request that is refused is never repeated': {
    answer: refuse(400),
    wantCode: 23,
    wantSaid: /answers 400/,
    wantSeen: [SEND],
  },
  'no right to ask': {
    answer: refuse(403),
    wantCode: 22,
    wantSaid: /spec\.remote\.auth/,
    wantSeen: [SEND],
  },
  'an error of the agent, in its words': {
    answer: ({ id }, response) =>
      reply(response, 200, { jsonrpc: '2.0', id, error: { code: -32602, message: 'no such skill' } }),
    wantCode: 23,
    wantSaid: /it refused the message, with error -32602: no such skill/,
    wantSeen: [SEND],
  },
  'an answer that is too large': {
    answer: taking((_, response) => reply(response, 200, `"${'x'.repeat(3_000_000)}"`)),
    wantCode: 24,
    wantSaid: /more than 2097152 bytes/,
    wantSeen: [SEND, LOOK],
  },
  'an answer that never ends': {
    answer: taking(async (_, response) => {
      response.writeHead(200);
      while (!response.destroyed && response.write('x'.repeat(65_536)));
      await once(response, 'close');
    }),
    retries: { limit: 0 },
    wantCode: 28,
    wantSeen: [SEND, LOOK],
  },
  'JSON that is nested too deeply': {
    answer: taking((_, response) => reply(response, 200, '['.repeat(500_000))),
    wantCode: 24,
    wantSaid: /nested deeper than 64 levels/,
    wantSeen: [SEND, LOOK],
  },
  'no JSON at all': {
    answer: (_, response) => reply(response, 200, '<html>'),
    wantCode: 24,
    wantSaid: /it is not JSON/,
    wantSeen: [SEND],
  },
  'the answer to another request': {
    answer: (_, response) =>
      reply(response, 200, { jsonrpc: '2.0', id: 'other', result: { task: completed } }),
    wantCode: 24,
    wantSaid: /the answer to another request/,
    wantSeen: [SEND],
  },
  'another task than was asked for': {
    answer: taking((rpc, response) => result(response, rpc, { ...completed, id: 'task-2' })),
    wantCode: 24,
    wantSaid: /asked for task task-1, it tells of another one/,
    wantSeen: [SEND, LOOK],
  },
  'the task of another context': {
    answer: taking((rpc, response) => result(response, rpc, { ...completed, contextId: 'context-2' })),
    wantCode: 24,
    wantSaid: /it tells of another one/,
    wantSeen: [SEND, LOOK],
  },
  'a state that nobody knows': {
    answer: (rpc, response) => result(response, rpc, { task: { ...TASK, status: { state: 'DONE' } } }),
    wantCode: 24,
    wantSaid: /no task, and no message/,
    wantSeen: [SEND],
  },
};

for (const [name, { answer, retries = {}, wantCode, wantSaid = /^/, wantSeen }] of Object.entries(cases)) {
  test(name, async (t) => {
    const { url, seen } = await endpoint(t, answer);
    const ended = await attempt(t, url, { retries });
    t.is(ended.code, wantCode, ended.text + ended.log);
    t.regex(ended.said.error?.message ?? '', wantSaid);
    t.deepEqual(seen, wantSeen);
  });
}

test('an endpoint that comes late: what was not sent is sent again', async (t) => {
  const place = createServer().listen(0, '127.0.0.1');
  await once(place, 'listening');
  const { port } = place.address() as AddressInfo;
  place.close();
  const ended = await attempt(t, `http://127.0.0.1:${port}`);
  t.is(ended.code, 20, ended.log);
  t.regex(ended.said.error?.message ?? '', /cannot be reached: .*ECONNREFUSED/);
  t.is(ended.log.match(/asks again/g)?.length, 3);
});

test('no redirection is followed: credentials go nowhere else', async (t) => {
  const other = await endpoint(t, complete);
  const first = await endpoint(t, refuse(307, { location: `${other.url}/elsewhere` }));
  const ended = await attempt(t, first.url, { credential: 'a-long-secret' });
  t.is(ended.code, 24, ended.text);
  t.regex(ended.said.error?.message ?? '', /redirections are not followed/);
  t.deepEqual(other.seen, []);
});

test('a card that names another host gets no credentials sent there', async (t) => {
  const other = await endpoint(t, complete);
  const card = await endpoint(t, (_, response) =>
    reply(response, 200, {
      supportedInterfaces: [{ url: other.url, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
    }),
  );
  const settings = { cardUrl: `${card.url}/card`, url: undefined } as unknown as Partial<RemoteAttempt>;
  const ended = await attempt(t, '', { settings, credential: 'a-long-secret' });
  t.is(ended.code, 24, ended.text);
  t.regex(ended.said.error?.message ?? '', /allowed is one on the host of the card/);
  t.deepEqual(other.seen, []);
});

test('a credential is shown as it is now, and told to nobody', async (t) => {
  const shown: (string | undefined)[] = [];
  const { url } = await endpoint(t, (rpc, response, { headers }) => {
    shown.push(headers.authorization);
    const echo = { artifactId: 'a', parts: [{ text: `you said ${headers.authorization}` }] };
    const done = shown.includes('Bearer second-secret') ? { ...completed, artifacts: [echo] } : working;
    result(response, rpc, rpc.method === 'SendMessage' ? { task: done } : done);
  });
  const settings = { url, pollSeconds: 0.1 };
  const program = await startProgram(t, { settings, input: 'go', credential: 'first-secret\n' });
  await eventually('it is shown', () => Promise.resolve(shown.includes('Bearer first-secret')));
  await writeFile(program.credentialFile, 'second-secret');
  const ended = await program.ended();
  t.is(ended.code, 0, ended.text);
  t.is(ended.said.output, 'you said Bearer ***');
  t.notRegex(ended.log, /secret/);
});

for (const [scheme, header, content, want] of [
  ['Basic', 'authorization', 'me:a-long-password', `Basic ${btoa('me:a-long-password')}`],
  ['Header', 'x-api-key', 'a-long-key', 'a-long-key'],
] as const) {
  test(`${scheme}: how a credential goes along`, async (t) => {
    let shown: unknown;
    const { url } = await endpoint(t, (rpc, response, { headers }) => {
      shown = headers[header];
      return complete(rpc, response, {} as IncomingMessage);
    });
    const auth = { scheme, file: '', ...(scheme === 'Header' && { header }) };
    const ended = await attempt(t, url, { settings: { url, auth }, credential: content });
    t.is(ended.code, 0, ended.text);
    t.is(shown, want);
  });
}

test('a credential of two lines is no header, and goes nowhere', async (t) => {
  const { url, seen } = await endpoint(t, complete);
  const ended = await attempt(t, url, { credential: 'secret\r\nx-other: 1' });
  t.is(ended.code, 2, ended.text);
  t.regex(ended.said.error?.message ?? '', /spec\.remote\.auth\.secretKeyRef: found 18 characters/);
  t.deepEqual(seen, []);
});

test('TLS: nothing is sent to who cannot prove the name', async (t) => {
  const now = new Date();
  const [trusted, foreign] = [createAuthority('trusted', now), createAuthority('foreign', now)];
  const leaf = issue(trusted, { commonName: 'a', hosts: ['localhost'], usages: ['server'] }, now);
  const { url, seen } = await endpoint(t, complete, { key: leaf.key, cert: leaf.certificate });
  const wrong = await attempt(t, url, { ca: foreign.pair.certificate });
  t.is(wrong.code, 25, wrong.text);
  t.regex(wrong.said.error?.message ?? '', /is not trusted, and nothing was sent/);
  const unknown = await attempt(t, url);
  t.is(unknown.code, 25, unknown.text);
  const settings = { url, tls: { serverName: 'agent.example.com' } };
  const misnamed = await attempt(t, url, { settings, ca: trusted.pair.certificate });
  t.is(misnamed.code, 25, misnamed.text);
  t.deepEqual(seen, []);
  const right = await attempt(t, url, { ca: trusted.pair.certificate });
  t.is(right.code, 0, right.text);
});
