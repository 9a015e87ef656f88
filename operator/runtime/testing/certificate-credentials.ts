// SPDX-License-Identifier: Apache-2.0
import { readCertificateAccess } from '#hack/cluster/kubeconfig';
import type { Credentials } from '../credentials.ts';

/** The credentials of a kubeconfig of the clusters of tests; client.test.ts is for any other. */
export async function certificateCredentials(path: string): Promise<Credentials> {
  const { server, ...material } = await readCertificateAccess(path);
  return {
    server,
    tls: () => Promise.resolve(material),
    authorization: () => Promise.resolve(undefined),
    refresh() {
      // A certificate of a test lives longer than it.
    },
  };
}
