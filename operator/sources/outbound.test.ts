// SPDX-License-Identifier: Apache-2.0
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { type Ask, type HostRules, Outbound } from './outbound.ts';

/** Where these tests have the public network, so that there is something on it. */
const PUBLIC = '127.0.0.2';
const PRIVATE = '127.0.0.1';

interface Served {
  readonly host: string;
  readonly asked: (string | undefined)[];
}

async function serve(t: ExecutionContext, address: string, answer: RequestListener): Promise<Served> {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  t.teardown(() => server.closeAllConnections());
  t.teardown(() => server.close());
  return { host: `${address}:${(server.address() as AddressInfo).port}`, asked };
}

const HELLO: RequestListener = (_, response) => void response.end('hello');

function leadTo(target: Served): RequestListener {
  return (_, response) => void response.writeHead(307, { location: `http://${target.host}/there` }).end();
}

/** One to whom `listed` hosts are private. */
function outboundFor(t: ExecutionContext, listed: readonly Served[]): Outbound {
  const rules = new Map<string, HostRules>(listed.map(({ host }) => [host, { isPrivate: true }]));
  const outbound = new Outbound({
    rulesOf: ({ host }) => ({ ...rules.get(host), isPlainHttp: true }),
    maxRedirects: 3,
    isPublic: (address) => address === PUBLIC,
  });
  t.teardown(() => outbound.close());
  return outbound;
}

function askFor({ host }: Served, more: Partial<Ask> = {}): Ask {
  const signal = AbortSignal.timeout(60_000);
  return { method: 'GET', url: new URL(`http://${host}/`), headers: {}, maxBytes: 1000, signal, ...more };
}

const BY: Readonly<
  Record<string, { readonly address: string; readonly isListed: boolean; readonly want: 'reply' | 'refused' }>
> = {
  'a public host': { address: PUBLIC, isListed: false, want: 'refused' },
  'a host that is listed as private': { address: PRIVATE, isListed: true, want: 'reply' },
};

for (const [title, { address, isListed, want }] of Object.entries(BY)) {
  test(`sent on by ${title} to one that is listed as private: ${want}`, async (t) => {
    const inner = await serve(t, PRIVATE, HELLO);
    const outer = await serve(t, address, leadTo(inner));
    const outbound = outboundFor(t, isListed ? [inner, outer] : [inner]);
    const { outcome, host } = await outbound.send(askFor(outer));
    t.is(outcome.kind, want, JSON.stringify(outcome));
    t.is(host, inner.host);
    t.deepEqual(inner.asked, want === 'reply' ? ['/there'] : []);
    // As by a redirect, so by what it says of where its tokens are.
    const told = await outbound.send(askFor(inner, { sentBy: new URL(`http://${outer.host}`) }));
    t.is(told.outcome.kind, want);
  });
}

test('who is asked by ourselves is asked, and why not otherwise is said', async (t) => {
  const inner = await serve(t, PRIVATE, HELLO);
  const outer = await serve(t, PUBLIC, leadTo(inner));
  const outbound = outboundFor(t, [inner]);
  t.is((await outbound.send(askFor(inner))).outcome.kind, 'reply');
  const { outcome } = await outbound.send(askFor(outer));
  t.deepEqual(outcome, {
    kind: 'refused',
    message: `${inner.host} has an address that is not public, and ${outer.host}, which leads there, is no host that the platform lists as private`,
  });
});

test('a stranger on the way is one, however many that are listed come after', async (t) => {
  const inner = await serve(t, PRIVATE, HELLO);
  const outer = await serve(t, PUBLIC, leadTo(inner));
  const first = await serve(t, PRIVATE, leadTo(outer));
  const outbound = outboundFor(t, [inner, first]);
  t.is((await outbound.send(askFor(first))).outcome.kind, 'refused');
  t.deepEqual([first.asked.length, outer.asked.length, inner.asked.length], [1, 1, 0]);
});

test('a stranger may lead to what is public', async (t) => {
  const inner = await serve(t, PUBLIC, HELLO);
  const outer = await serve(t, PUBLIC, leadTo(inner));
  t.is((await outboundFor(t, []).send(askFor(outer))).outcome.kind, 'reply');
});

test('a connection that the platform alone may have is not lent to a stranger', async (t) => {
  const inner = await serve(t, PRIVATE, HELLO);
  const outer = await serve(t, PUBLIC, HELLO);
  const named = { ...inner, host: inner.host.replace(PRIVATE, 'localhost') };
  const outbound = outboundFor(t, [named]);
  t.is((await outbound.send(askFor(named))).outcome.kind, 'reply');
  const sentBy = new URL(`http://${outer.host}`);
  t.is((await outbound.send(askFor(named, { sentBy }))).outcome.kind, 'refused');
  t.is(inner.asked.length, 1);
});

test('credentials stay where they are for', async (t) => {
  const seen: unknown[] = [];
  const inner = await serve(t, PRIVATE, ({ headers }, response) => {
    seen.push(headers.authorization);
    response.end();
  });
  const outer = await serve(t, PRIVATE, leadTo(inner));
  const outbound = outboundFor(t, [inner, outer]);
  await outbound.send(askFor(outer, { authorization: 'Bearer x' }));
  await outbound.send(askFor(inner, { authorization: 'Bearer y' }));
  t.deepEqual(seen, [undefined, 'Bearer y']);
});
