// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'undici';
import { parse } from 'yaml';
import type { AttachedCluster, Identity } from '#hack/cluster/attached-cluster';

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

interface Kubeconfig {
  readonly users: readonly [
    { readonly user: { readonly 'client-certificate-data': string; readonly 'client-key-data': string } },
  ];
}

const TYPES: Readonly<Record<string, string>> = { PATCH: 'application/merge-patch+json' };

/** A user of the cluster with the name and groups of `identity`. */
export async function apiUser(cluster: AttachedCluster, identity: Identity): Promise<ApiUser> {
  const config = parse(await readFile(await cluster.kubeconfigFor(identity), 'utf8')) as Kubeconfig;
  const [{ user }] = config.users;
  const agent = new Agent({
    allowH2: false,
    connections: 8,
    connect: {
      ca: plain(cluster.caData),
      cert: plain(user['client-certificate-data']),
      key: plain(user['client-key-data']),
    },
  });
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

function plain(base64: string): string {
  return Buffer.from(base64, 'base64').toString();
}
