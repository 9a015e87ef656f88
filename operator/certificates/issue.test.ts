// SPDX-License-Identifier: Apache-2.0
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:tls';
import test from 'ava';
import { hasIssued, isVouchedFor, readBundle } from '../core/certificates/bundle.ts';
import { issuePair } from './issue.ts';

const NOW = new Date('2026-11-22T12:00:00Z');
const HOSTS = ['nexusos-webhooks.nexusos-system.svc', '127.0.0.1', '::1', 'fd00::2:1'];

test('a pair is of an authority of its own, for exactly the hosts', async (t) => {
  const pair = await issuePair({ hosts: HOSTS, now: NOW, validSeconds: 3600 });
  const [authority] = readBundle(pair.authority);
  const leaf = new X509Certificate(pair.certificate);
  t.true(authority?.ca);
  t.false(leaf.ca);
  t.true(hasIssued(authority!, leaf));
  for (const host of HOSTS) t.not(leaf.checkHost(host) ?? leaf.checkIP(host), undefined, host);
  t.is(leaf.checkHost('nexusos-webhooks.other.svc'), undefined);
  t.is(leaf.checkIP('127.0.0.2'), undefined);
  t.is(leaf.validToDate.getTime(), NOW.getTime() + 3_600_000);
  t.true(leaf.validFromDate < NOW);
  t.deepEqual(leaf.publicKey.asymmetricKeyDetails, { namedCurve: 'prime256v1' });
});

test('of two pairs neither vouches for the other', async (t) => {
  const request = { hosts: HOSTS, now: NOW, validSeconds: 60 };
  const [one, other] = await Promise.all([issuePair(request), issuePair(request)]);
  const leaf = new X509Certificate(one.certificate);
  t.true(isVouchedFor(leaf, readBundle(one.authority + other.authority), NOW));
  t.false(isVouchedFor(leaf, readBundle(other.authority), NOW));
  t.false(isVouchedFor(leaf, readBundle(one.authority), new Date(NOW.getTime() + 61_000)));
  t.not(one.key, other.key);
});

test('a client that trusts the authority speaks to who has the pair, and no other does', async (t) => {
  const pair = await issuePair({ hosts: ['127.0.0.1'], now: new Date(), validSeconds: 60 });
  const server = createServer({ cert: pair.certificate, key: pair.key }).listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const trusting = connect({ host: '127.0.0.1', port, ca: pair.authority });
  await once(trusting, 'secureConnect');
  trusting.destroy();
  const doubting = connect({ host: '127.0.0.1', port });
  const [error] = (await once(doubting, 'error').catch((reason: unknown) => [reason])) as [Error];
  t.regex(error.message, /self-signed|unable to verify/);
});
