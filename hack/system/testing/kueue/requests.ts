// SPDX-License-Identifier: Apache-2.0
import { Agent, request } from 'undici';
import type { AttachedCluster } from '../../../cluster/attached-cluster.ts';

/** A body, and how it is to be taken. */
export interface Body {
  readonly type: 'json' | 'merge-patch+json' | 'strategic-merge-patch+json';
  readonly value: object;
}

/** Requests as a service account. */
export interface Requests {
  readonly send: (method: 'DELETE' | 'GET' | 'PATCH' | 'POST', path: string, body?: Body) => Promise<unknown>;
  readonly close: () => Promise<void>;
}

/** Requests by a token of a service account. What is refused throws, but for what is not there, or there already. */
export async function requestsAs(
  cluster: AttachedCluster,
  { namespace, serviceAccount }: { readonly namespace: string; readonly serviceAccount: string },
): Promise<Requests> {
  const token = await cluster.serviceAccountToken(namespace, serviceAccount);
  const ca = Buffer.from(cluster.caData, 'base64').toString('utf8');
  const agent = new Agent({ allowH2: false, connections: 4, connect: { ca } });
  return {
    async send(method, path, body) {
      const response = await request(new URL(path, cluster.url), {
        method,
        dispatcher: agent,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body !== undefined && { 'content-type': `application/${body.type}` }),
        },
        ...(body !== undefined && { body: JSON.stringify(body.value) }),
      });
      const answer = await response.body.text();
      if (response.statusCode === 404 || response.statusCode === 409) return undefined;
      if (response.statusCode >= 400) throw new Error(`${method} ${path}: ${response.statusCode} ${answer}`);
      return JSON.parse(answer) as unknown;
    },
    close: () => agent.destroy(),
  };
}
