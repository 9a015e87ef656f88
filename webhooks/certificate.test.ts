// SPDX-License-Identifier: Apache-2.0
import { X509Certificate } from 'node:crypto';
import test from 'ava';
import { type Authority, createAuthority, issue } from '#hack/cluster/certificates';
import type { KubeObject } from '#operator/core/object';
import {
  bundlesOf,
  type CertificateFacts,
  choosePair,
  isTrusted,
  type OfferedPair,
  readPair,
} from './certificate.ts';

const NOW = new Date();
const YEAR_MS = 366 * 86_400_000;
const LATER = new Date(NOW.getTime() + YEAR_MS);
const ONE = createAuthority('one', NOW);
const OTHER = createAuthority('other', NOW);

function pairOf(authority: Authority, now = NOW): OfferedPair {
  const { certificate, key } = issue(authority, { commonName: 'x', usages: ['server'], hosts: ['x'] }, now);
  return { certificate, key, leaf: new X509Certificate(certificate) };
}

const OLD = pairOf(ONE);
const NEW = pairOf(OTHER);
const [TRUSTS_ONE, TRUSTS_OTHER] = [ONE.pair.certificate, OTHER.pair.certificate];
const BOTH = TRUSTS_ONE + TRUSTS_OTHER;

const CASES: Readonly<
  Record<string, { readonly facts: Partial<CertificateFacts>; readonly want: OfferedPair | undefined }>
> = {
  'nothing to serve': { facts: {}, want: undefined },
  'the first one, trusted or not': { facts: { offered: NEW, bundles: [TRUSTS_ONE] }, want: NEW },
  'another one that is trusted': { facts: { serving: OLD, offered: NEW, bundles: [BOTH, BOTH] }, want: NEW },
  'another one that one webhook does not trust yet': {
    facts: { serving: OLD, offered: NEW, bundles: [BOTH, TRUSTS_ONE] },
    want: OLD,
  },
  'neither is trusted': { facts: { serving: OLD, offered: NEW, bundles: [''] }, want: NEW },
  'the Secret is gone': { facts: { serving: OLD, bundles: [TRUSTS_ONE] }, want: OLD },
  'the old one is over': {
    facts: { serving: OLD, offered: NEW, bundles: [TRUSTS_ONE], now: LATER },
    want: NEW,
  },
  'there is no webhook': { facts: { serving: OLD, offered: NEW, bundles: [] }, want: NEW },
};

for (const [title, { facts, want }] of Object.entries(CASES)) {
  test(`serves, with ${title}`, (t) => {
    const all: CertificateFacts = { serving: undefined, offered: undefined, bundles: [], now: NOW, ...facts };
    t.is(choosePair(all), want);
  });
}

test('trusted is what every webhook trusts, while it is valid, and where there is one', (t) => {
  t.true(isTrusted(OLD.leaf, [BOTH, TRUSTS_ONE], NOW));
  t.false(isTrusted(OLD.leaf, [BOTH, TRUSTS_OTHER], NOW));
  t.false(isTrusted(OLD.leaf, [BOTH], LATER));
  t.false(isTrusted(OLD.leaf, [], NOW));
});

function secret(data: Readonly<Record<string, string>>): KubeObject {
  const encoded = Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, data: Object.fromEntries(encoded) };
}

test('a Secret that cannot be served says why, and never what is in it', (t) => {
  t.is(readPair(secret({})), 'tls.crt holds no certificate');
  t.is(readPair(secret({ 'tls.crt': OLD.certificate })), 'tls.key holds no private key');
  t.is(
    readPair(secret({ 'tls.crt': OLD.certificate, 'tls.key': NEW.key })),
    'tls.key is not the key of tls.crt',
  );
  t.like(readPair(secret({ 'tls.crt': OLD.certificate, 'tls.key': OLD.key })), { key: OLD.key });
});

test('what each webhook trusts is read, nothing being something', (t) => {
  const caBundle = Buffer.from(BOTH).toString('base64');
  const webhooks = [{ clientConfig: { caBundle } }, { clientConfig: {} }];
  t.deepEqual(bundlesOf({ apiVersion: 'x', kind: 'x', metadata: { name: 'x' }, webhooks }), [BOTH, '']);
});
