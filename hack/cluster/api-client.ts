// SPDX-License-Identifier: Apache-2.0
import { Agent, request } from 'undici';
import type { KeyPair } from './certificates.ts';

/** An object as the API server takes and gives it. */
export type ApiObject = Readonly<Record<string, unknown>>;

/** What the API server said. */
export interface ApiAnswer {
  readonly status: number;
  readonly text: string;
  /** What it warns of. */
  readonly warnings: readonly string[];
}

/**
 * A plain client for the few requests that bring a cluster up and look at it: no retries, no watches.
 * The operator's own transport is not used here, so that a fault in it cannot hide itself.
 */
export class ApiClient {
  readonly #url: string;
  readonly #agent: Agent;

  constructor(options: { readonly url: string; readonly caCertificate: string; readonly client?: KeyPair }) {
    this.#url = options.url;
    const { client } = options;
    this.#agent = new Agent({
      allowH2: false,
      connect: {
        ca: options.caCertificate,
        ...(client !== undefined && { cert: client.certificate, key: client.key }),
      },
    });
  }

  /** Sends one request; any HTTP status is an answer. Throws when there is none within 30 seconds. */
  async send(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: ApiObject,
  ): Promise<ApiAnswer> {
    const type = method === 'PATCH' ? 'application/apply-patch+yaml' : 'application/json';
    const response = await request(`${this.#url}${path}`, {
      method,
      dispatcher: this.#agent,
      headersTimeout: 30_000,
      bodyTimeout: 30_000,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': type } }),
    });
    const warnings = [response.headers['warning'] ?? []].flat().flatMap(warningsIn);
    return { status: response.statusCode, text: await response.body.text(), warnings };
  }

  /** The object at `path`; undefined when there is none. Throws on every other refusal. */
  async get(path: string): Promise<ApiObject | undefined> {
    const answer = await this.send('GET', path);
    return answer.status === 404 ? undefined : parse(answer, `GET ${path}`);
  }

  /** Makes `object` in the collection at `path`. Throws with the server's message when refused. */
  async create(path: string, object: ApiObject): Promise<ApiObject> {
    return parse(await this.send('POST', path, object), `POST ${path}`);
  }

  /** Whether the health endpoint at `path` says yes; no answer counts as no. */
  async healthy(path: string): Promise<boolean> {
    try {
      return (await this.send('GET', path)).status === 200;
    } catch {
      return false;
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

/** warningsIn('299 - "a", 299 - "b"') -> ['a', 'b'] */
function warningsIn(header: string): readonly string[] {
  return [...header.matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) =>
    text.replaceAll(/\\(.)/g, '$1'),
  );
}

/** An object with the path of the collection it is created in. */
export interface Creation {
  readonly path: string;
  readonly object: ApiObject;
}

/** Creates objects that do not depend on each other. Throws when the server refuses one. */
export async function createAll(client: ApiClient, creations: readonly Creation[]): Promise<void> {
  await Promise.all(creations.map(({ path, object }) => client.create(path, object)));
}

function parse(answer: ApiAnswer, what: string): ApiObject {
  if (answer.status >= 300) {
    throw new Error(`${what}: ${answer.status} ${answer.text.slice(0, 2000)}`);
  }
  return JSON.parse(answer.text) as ApiObject;
}
