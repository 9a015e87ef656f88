// SPDX-License-Identifier: Apache-2.0
import { Agent, request } from 'undici';
import type { AttachedCluster, Identity } from '#hack/cluster/attached-cluster';
import { readCertificateAccess } from '#hack/cluster/kubeconfig';

/** What the API server answered. */
export interface ApiAnswer {
  readonly status: number;
  /** The message of a refusal; empty when it was none. */
  readonly message: string;
  readonly body: unknown;
}

/** Somebody who speaks to the API server directly, by a client certificate. */
export interface ApiUser {
  readonly send: (method: string, path: string, body?: object) => Promise<ApiAnswer>;
  readonly close: () => Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = { PATCH: 'application/merge-patch+json' };

/** A user of the cluster with the name and groups of `identity`. */
export async function apiUser(cluster: AttachedCluster, identity: Identity): Promise<ApiUser> {
  const { ca, cert, key } = await readCertificateAccess(await cluster.kubeconfigFor(identity));
  const agent = new Agent({ allowH2: false, connections: 8, connect: { ca, cert, key } });
  return {
    send: async (method, path, body) => {
      const response = await request(new URL(path, cluster.url), {
        method: method as 'GET',
        dispatcher: agent,
        ...(body !== undefined && {
          body: JSON.stringify(body),
          headers: { 'content-type': TYPES[method] ?? 'application/json' },
        }),
      });
      const answer: unknown = await response.body.json();
      const { message = '' } = answer as { message?: string };
      return { status: response.statusCode, message: response.statusCode < 400 ? '' : message, body: answer };
    },
    close: () => agent.close(),
  };
}
