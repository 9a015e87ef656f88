// SPDX-License-Identifier: Apache-2.0
import { createPrivateKey, X509Certificate } from 'node:crypto';
import test from 'ava';
import { createAuthority, issue, type LeafRequest } from './certificates.ts';

const now = new Date('2026-11-21T12:00:00Z');
const oid = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' };

const leaves: Record<string, { request: LeafRequest; subject: string; names?: string; usages: string[] }> = {
  'a user of two groups': {
    request: { commonName: 'alice', organizations: ['acme', 'system:masters'], usages: ['client'] },
    subject: 'O=acme\nO=system:masters\nCN=alice',
    usages: [oid.client],
  },
  'a server with names and addresses': {
    request: { commonName: 'kube-apiserver', usages: ['server'], hosts: ['localhost', '10.96.0.1'] },
    subject: 'CN=kube-apiserver',
    names: 'DNS:localhost, IP Address:10.96.0.1',
    usages: [oid.server],
  },
  'a component that is both': {
    request: { commonName: 'etcd', usages: ['client', 'server'], hosts: ['127.0.0.1'] },
    subject: 'CN=etcd',
    names: 'IP Address:127.0.0.1',
    usages: [oid.client, oid.server],
  },
  'a name beyond ASCII': {
    request: { commonName: 'jürgen@exämple', usages: ['client'] },
    subject: 'CN=jürgen@exämple',
    usages: [oid.client],
  },
  'a name that needs a length of two bytes': {
    request: { commonName: 'x'.repeat(300), usages: ['client'] },
    subject: `CN=${'x'.repeat(300)}`,
    usages: [oid.client],
  },
};

for (const [title, { request, subject, names, usages }] of Object.entries(leaves)) {
  test(`leaf: ${title}`, (t) => {
    const authority = createAuthority('test-ca', now);
    const leaf = issue(authority, request, now);
    const certificate = new X509Certificate(leaf.certificate);
    const issuer = new X509Certificate(authority.pair.certificate);
    t.is(certificate.subject, subject);
    t.is(certificate.subjectAltName, names);
    t.deepEqual(certificate.keyUsage, usages);
    t.false(certificate.ca);
    t.true(certificate.checkIssued(issuer));
    t.true(certificate.verify(issuer.publicKey));
    t.true(certificate.checkPrivateKey(createPrivateKey(leaf.key)));
  });
}

test('an authority signs itself, may sign others, and holds for a year', (t) => {
  const authority = new X509Certificate(createAuthority('test-ca', now).pair.certificate);
  t.true(authority.ca);
  t.true(authority.verify(authority.publicKey));
  t.is(authority.validFrom, 'Nov 20 12:00:00 2026 GMT');
  t.is(authority.validTo, 'Nov 21 12:00:00 2027 GMT');
});

test('a leaf of one authority is not of another with the same name', (t) => {
  const [one, other] = [createAuthority('test-ca', now), createAuthority('test-ca', now)];
  const leaf = new X509Certificate(issue(one, { commonName: 'alice', usages: ['client'] }, now).certificate);
  t.false(leaf.verify(new X509Certificate(other.pair.certificate).publicKey));
});

test('serial numbers do not repeat', (t) => {
  const authority = createAuthority('test-ca', now);
  const serials = Array.from(
    { length: 20 },
    () =>
      new X509Certificate(issue(authority, { commonName: 'a', usages: ['client'] }, now).certificate)
        .serialNumber,
  );
  t.is(new Set(serials).size, serials.length);
});
