// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { parse, stringify } from 'yaml';
import type { KeyPair } from './certificates.ts';

/** What a kubeconfig tells: which server, trusted by what, and who asks (a certificate or a bearer token). */
export interface KubeconfigContent {
  readonly clusterName: string;
  readonly url: string;
  /** PEM. */
  readonly caCertificate: string;
  readonly user: string;
  readonly credential: KeyPair | { readonly token: string };
}

/** A kubeconfig, as YAML, that needs no other file: everything is inside. */
export function kubeconfigText(content: KubeconfigContent): string {
  const context = `${content.user}@${content.clusterName}`;
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: content.clusterName,
        cluster: { server: content.url, 'certificate-authority-data': base64(content.caCertificate) },
      },
    ],
    users: [{ name: content.user, user: credentialFields(content.credential) }],
    contexts: [{ name: context, context: { cluster: content.clusterName, user: content.user } }],
    'current-context': context,
  });
}

/** Who a kubeconfig with a certificate speaks as, and to whom; PEM. */
export interface CertificateAccess {
  readonly server: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

interface CertificateKubeconfig {
  readonly clusters: readonly [
    { readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } },
  ];
  readonly users: readonly [
    { readonly user: { readonly 'client-certificate-data': string; readonly 'client-key-data': string } },
  ];
}

/**
 * Reads a kubeconfig of ours that has a certificate in it. Tests start many processes, and the library that reads any kubeconfig
 * takes each of them the better part of a second.
 */
export async function readCertificateAccess(path: string): Promise<CertificateAccess> {
  const { clusters, users } = parse(await readFile(path, 'utf8')) as CertificateKubeconfig;
  const [{ cluster }] = clusters;
  const [{ user }] = users;
  return {
    server: cluster.server,
    ca: plain(cluster['certificate-authority-data']),
    cert: plain(user['client-certificate-data']),
    key: plain(user['client-key-data']),
  };
}

function credentialFields(credential: KubeconfigContent['credential']): Record<string, string> {
  return 'token' in credential
    ? { token: credential.token }
    : {
        'client-certificate-data': base64(credential.certificate),
        'client-key-data': base64(credential.key),
      };
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

function plain(base64Text: string): string {
  return Buffer.from(base64Text, 'base64').toString('utf8');
}
