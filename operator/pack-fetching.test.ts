// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { createAuthority, issue } from '#hack/cluster/certificates';
import { eventually } from '#hack/tools/eventually';
import type { PackPlace } from './core/policy-pack/pack.ts';
import type { PackRequest } from './core/policy-pack/verification.ts';
import { packRequest } from './rego/testing/verifying.ts';
import { Verifier } from './rego/verifier.ts';
import type { Outcome } from './rego/verify-pack.ts';
import { HttpsFetcher } from './sources/https.ts';

const FAULT: Outcome = { kind: 'fault', fault: { reason: 'NoRules', message: 'none', passing: false } };
const FILE = Buffer.from('a bundle');
const DIGEST = `sha256:${createHash('sha256').update(FILE).digest('hex')}`;
const BASE = packRequest({ source: { inline: { modules: { 'a.rego': 'package a' } } } });

/** A pack of a tenant, or of the platform, that is fetched from `url`; without, it is in the manifest. */
function request(pack: string, url?: string): PackRequest {
  const [tenant = ''] = pack.split('/');
  const place: PackPlace = tenant === 'platform' ? { kind: 'platform' } : { kind: 'tenant', tenant };
  if (url === undefined) return { ...BASE, pack, key: pack, place };
  return { ...BASE, pack, key: pack, place, content: { kind: 'bundle', url, digest: DIGEST } };
}

/** A byte a second, for ever. */
function drip(answer: ServerResponse): void {
  const timer = setInterval(() => answer.write('a'), 1000);
  answer.on('close', () => clearInterval(timer));
}

/** A server of packs: slow at `/slow`. */
async function serve(t: ExecutionContext) {
  const authority = createAuthority('packs', new Date());
  const { certificate: cert, key } = issue(
    authority,
    { commonName: 'localhost', usages: ['server'], hosts: ['localhost'] },
    new Date(),
  );
  const server = createServer({ cert, key }, ({ url }, answer) =>
    url === '/slow' ? drip(answer) : void answer.end(FILE),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.closeAllConnections());
  t.teardown(() => server.close());
  return {
    host: `localhost:${(server.address() as AddressInfo).port}`,
    ca: authority.pair.certificate,
  };
}

test('thirty tenants whose server sends a byte a second hold up neither others nor the platform', async (t) => {
  const [slow, quick] = [await serve(t), await serve(t)];
  const fetchers = [slow, quick].map(
    ({ host, ca }) => new HttpsFetcher({ trustedHosts: [host], maxBytes: 1000, ca, timeoutMs: 3000 }),
  );
  t.teardown(() => Promise.all(fetchers.map((fetcher) => fetcher.close())));
  const events: string[] = [];
  const verifier = new Verifier({
    fetchSource: ({ content, key }, signal) => {
      events.push(`fetch ${key}`);
      if (content.kind !== 'bundle') throw new Error('it is not to be fetched');
      const [ofSlow, ofQuick] = fetchers;
      const fetcher = content.url.includes(slow.host) ? ofSlow : ofQuick;
      return fetcher!.get(content, signal);
    },
    verify: async ({ key }) => {
      events.push(`verify ${key}`);
      return FAULT;
    },
  });
  const told = new Map<string, PackRequest>();
  verifier.onDone((pack) => void told.set(pack, request(pack)));
  for (let i = 0; i < 30; i += 1)
    for (let j = 0; j < 5; j += 1) verifier.ask(request(`tarpit${i}/${j}`, `https://${slow.host}/slow`));
  for (let j = 0; j < 5; j += 1) verifier.ask(request(`platform/tarpit${j}`, `https://${slow.host}/slow`));
  verifier.ask(request('good/inline'));
  verifier.ask(request('platform/inline'));
  verifier.ask(request('good/bundle', `https://${quick.host}/`));
  verifier.ask(request('platform/bundle', `https://${quick.host}/`));
  await eventually('all that is sound is verified', async () =>
    ['good/inline', 'platform/inline', 'good/bundle', 'platform/bundle'].every((pack) => told.has(pack))
      ? true
      : undefined,
  );
  // What needs no fetching waited for nobody, and what is fetched for the first fetch of others at most.
  const begun = (what: string): number => events.indexOf(what);
  t.true(begun('verify good/inline') < begun('fetch tarpit16/0'));
  t.true(begun('verify platform/inline') < begun('fetch tarpit16/0'));
  const before = events.slice(0, begun('fetch good/bundle'));
  t.deepEqual(
    before.filter((event) => /^fetch tarpit\d+\/[^0]/.test(event)),
    [],
    'nobody has had a second turn by then',
  );
  t.is(before.filter((event) => event.startsWith('fetch tarpit')).length, 30);
  t.false(events.some((event) => event.startsWith('verify tarpit')));
});
