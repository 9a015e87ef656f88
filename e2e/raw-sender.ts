// SPDX-License-Identifier: Apache-2.0
import { Agent, request } from 'undici';
import type { AttachedCluster } from '#hack/cluster/attached-cluster';

/** What the API server said to a body that need not even be JSON. */
export interface RawAnswer {
  readonly status: number;
  /** The message of the Status object, or the whole text when there is none. */
  readonly message: string;
  /** Name of the object that was made. */
  readonly name: string | undefined;
}

/** Posts bodies as they are, as one service account. */
export interface RawSender {
  readonly post: (path: string, body: string) => Promise<RawAnswer>;
  readonly close: () => Promise<void>;
}

/** A sender with the rights of the service account that `token` belongs to. */
export function rawSender(cluster: AttachedCluster, token: string): RawSender {
  const ca = Buffer.from(cluster.caData, 'base64').toString();
  const agent = new Agent({ allowH2: false, connections: 8, connect: { ca } });
  return {
    post: async (path, body) => {
      const response = await request(new URL(path, cluster.url), {
        method: 'POST',
        dispatcher: agent,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body,
      });
      return { status: response.statusCode, ...readAnswer(await response.body.text()) };
    },
    close: () => agent.close(),
  };
}

function readAnswer(text: string): Pick<RawAnswer, 'message' | 'name'> {
  try {
    const answer = JSON.parse(text) as {
      readonly message?: string;
      readonly kind?: string;
      readonly metadata?: { readonly name?: string };
    };
    const name = answer.kind === 'Status' ? undefined : answer.metadata?.name;
    return { message: answer.message ?? '', name };
  } catch {
    return { message: text, name: undefined };
  }
}
