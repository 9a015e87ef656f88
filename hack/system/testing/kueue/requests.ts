// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, type Dispatcher, request } from 'undici';
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
      const ask = () =>
        request(new URL(path, cluster.url), {
          method,
          dispatcher: agent,
          headers: {
            authorization: `Bearer ${token}`,
            ...(body !== undefined && { 'content-type': `application/${body.type}` }),
          },
          ...(body !== undefined && { body: JSON.stringify(body.value) }),
        });
      const response = await untilTaken(ask);
      const answer = await response.body.text();
      if (response.statusCode === 404 || response.statusCode === 409) return undefined;
      if (response.statusCode >= 400) throw new Error(`${method} ${path}: ${response.statusCode} ${answer}`);
      return JSON.parse(answer) as unknown;
    },
    close: () => agent.destroy(),
  };
}

/** Asks again for some seconds where the API server wants that, as it does of kinds that it has just begun to serve. */
async function untilTaken(ask: () => Promise<Dispatcher.ResponseData>): Promise<Dispatcher.ResponseData> {
  for (let left = 20; ; left -= 1) {
    const response = await ask();
    if (response.statusCode !== 429 || left === 0) return response;
    await response.body.dump();
    await sleep(500);
  }
}
