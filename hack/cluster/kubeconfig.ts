// SPDX-License-Identifier: Apache-2.0
import { stringify } from 'yaml';
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
