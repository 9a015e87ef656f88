// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import type { Credentials } from '../credentials.ts';

/** A kubeconfig of the clusters of tests: one user, with a certificate in it. */
interface CertificateKubeconfig {
  readonly clusters: readonly [
    { readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } },
  ];
  readonly users: readonly [
    { readonly user: { readonly 'client-certificate-data': string; readonly 'client-key-data': string } },
  ];
}

/**
 * The credentials of such a kubeconfig. Tests start many processes, and the library that reads any kubeconfig takes each of them
 * the better part of a second; client.test.ts is for that.
 */
export async function certificateCredentials(path: string): Promise<Credentials> {
  const { clusters, users } = parse(await readFile(path, 'utf8')) as CertificateKubeconfig;
  const [{ cluster }] = clusters;
  const [{ user }] = users;
  const material = {
    ca: plain(cluster['certificate-authority-data']),
    cert: plain(user['client-certificate-data']),
    key: plain(user['client-key-data']),
  };
  return {
    server: cluster.server,
    tls: () => Promise.resolve(material),
    authorization: () => Promise.resolve(undefined),
    refresh() {
      // A certificate of a test lives longer than it.
    },
  };
}

function plain(base64: string): string {
  return Buffer.from(base64, 'base64').toString();
}
