// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Authority, createAuthority, issue, type KeyPair, type LeafRequest } from './certificates.ts';

/** First address of the Service range: the API server's own Service. */
const apiServiceAddress = '10.96.0.1';

const loopback: readonly string[] = ['127.0.0.1', 'localhost'];

const authorityName = 'kubernetes-ca';

/**
 * Every leaf of a cluster. Each component proves who it is by a certificate of its own, so that the roles
 * of RBAC are really tried; etcd trusts an authority of its own, else any client of the API server could
 * read etcd.
 */
const leaves = {
  'kube-apiserver': {
    authority: 'ca',
    commonName: 'kube-apiserver',
    usages: ['server'],
    hosts: [...loopback, apiServiceAddress, 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'],
  },
  'kube-controller-manager': {
    authority: 'ca',
    commonName: 'system:kube-controller-manager',
    usages: ['client', 'server'],
    hosts: loopback,
  },
  'kube-scheduler': {
    authority: 'ca',
    commonName: 'system:kube-scheduler',
    usages: ['client', 'server'],
    hosts: loopback,
  },
  kwok: { authority: 'ca', commonName: 'kwok', organizations: ['system:nodes'], usages: ['client'] },
  admin: {
    authority: 'ca',
    commonName: 'kubernetes-admin',
    organizations: ['system:masters'],
    usages: ['client'],
  },
  etcd: { authority: 'etcd-ca', commonName: 'etcd', usages: ['client', 'server'], hosts: loopback },
  'apiserver-etcd-client': {
    authority: 'etcd-ca',
    commonName: 'kube-apiserver-etcd-client',
    usages: ['client'],
  },
} as const satisfies Record<string, LeafRequest & { readonly authority: 'ca' | 'etcd-ca' }>;

/** The name of a leaf certificate, and of its two files. */
export type LeafName = keyof typeof leaves;

/** The files of a cluster's PKI, by name; nothing of it is shared between clusters. */
export interface PkiFiles {
  readonly folder: string;
  /** `<name>.crt`, PEM. */
  readonly certificate: (name: LeafName | 'ca' | 'etcd-ca') => string;
  /** `<name>.key`, PEM, readable by its owner only. */
  readonly key: (name: LeafName | 'ca' | 'service-account') => string;
}

/** Where the files of the PKI in `folder` are. */
export function pkiFiles(folder: string): PkiFiles {
  return {
    folder,
    certificate: (name) => join(folder, `${name}.crt`),
    key: (name) => join(folder, `${name}.key`),
  };
}

/** Makes the whole PKI of a new cluster in `folder`. The key of etcd's authority is not kept. */
export async function createPki(folder: string, now: Date): Promise<PkiFiles> {
  const files = pkiFiles(folder);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const authorities = {
    ca: createAuthority(authorityName, now),
    // Named unlike its leaves: one whose issuer has its own name counts as self-signed with OpenSSL.
    'etcd-ca': createAuthority('etcd-ca', now),
  };
  await writePair(files, 'ca', authorities.ca.pair);
  await writeFile(files.certificate('etcd-ca'), authorities['etcd-ca'].pair.certificate);
  for (const [name, leaf] of Object.entries(leaves) as [LeafName, (typeof leaves)[LeafName]][]) {
    await writePair(files, name, issue(authorities[leaf.authority], leaf, now));
  }
  await writeFile(files.key('service-account'), serviceAccountKey(), { mode: 0o600 });
  return files;
}

/** The cluster's authority, read back: it issues certificates for users. */
export async function readAuthority(files: PkiFiles): Promise<Authority> {
  const certificate = await readFile(files.certificate('ca'), 'utf8');
  return { commonName: authorityName, pair: { certificate, key: await readFile(files.key('ca'), 'utf8') } };
}

/** A leaf, read back. */
export async function readLeaf(files: PkiFiles, name: LeafName): Promise<KeyPair> {
  const certificate = await readFile(files.certificate(name), 'utf8');
  return { certificate, key: await readFile(files.key(name), 'utf8') };
}

async function writePair(files: PkiFiles, name: LeafName | 'ca', pair: KeyPair): Promise<void> {
  await writeFile(files.certificate(name), pair.certificate);
  await writeFile(files.key(name), pair.key, { mode: 0o600 });
}

/** Signs service account tokens; the API server derives the public half from it. */
function serviceAccountKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'sec1', format: 'pem' }).toString();
}
